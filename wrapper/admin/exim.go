package admin

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pipeconnect is Exim's main option for the clients to which it offers PIPECONNECT, by default all.
// These then speak before the greeting when they connect next.
const pipeconnect = "pipelining_connect_advertise_hosts"

// eximTime is how long an Exim may take to say what is set.
const eximTime = 10 * time.Second

// eximNote says what to set in the MTA if it is an Exim that offers PIPECONNECT, or may; "" for
// others.
func eximNote(mta []string) string {
	const set = "; write " + pipeconnect + " = : into its main " +
		"configuration, otherwise honest Exims speak before the greeting and get 421 or 554"
	if !isExim(mta[0]) {
		return ""
	}
	switch offers, err := offersPipeconnect(mta); {
	case err != nil:
		return fmt.Sprintf("this Exim does not say whether it offers PIPECONNECT (%v)%s",
			err, set)
	case offers:
		return "this Exim offers PIPECONNECT" + set
	}
	return ""
}

// isExim goes by the program's name: Debian's sendmail is a link to exim4, Exim's own exim a link
// to exim-4.98-1.
func isExim(program string) bool {
	if real, err := filepath.EvalSymlinks(program); err == nil {
		program = real
	}
	return strings.HasPrefix(filepath.Base(program), "exim")
}

// offersPipeconnect asks the Exim, with the configuration and the macros of the mta line. An Exim
// that does not know the option offers nothing.
func offersPipeconnect(mta []string) (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), eximTime)
	defer cancel()
	var args []string
	for i, arg := range mta {
		switch {
		case arg == "-C" && i+1 < len(mta):
			args = append(args, arg, mta[i+1])
		case i > 0 && arg != "-C" && (strings.HasPrefix(arg, "-C") || strings.HasPrefix(arg, "-D")):
			args = append(args, arg)
		}
	}
	cmd := exec.CommandContext(ctx, mta[0], append(args, "-bP", pipeconnect)...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		name, value, found := strings.Cut(line, "=")
		if found && strings.TrimSpace(name) == pipeconnect {
			return strings.Trim(value, ": \t\n") != "", nil // a colon is an empty list, too
		}
		if strings.HasPrefix(line, pipeconnect+" is not a known option") {
			return false, nil
		}
	}
	if err == nil {
		err = errors.New("no answer to -bP")
	}
	return false, err
}
