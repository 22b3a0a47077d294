package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"sendwrap/wrapper/surroundings"
)

// pipeconnect is Exim's main option for the clients to which it offers PIPECONNECT, by default all.
// These then speak before the greeting when they connect next.
const pipeconnect = "pipelining_connect_advertise_hosts"

// eximTime is how long an Exim may take to say what is set.
const eximTime = 10 * time.Second

// offers says what to set in the MTA if it is an Exim that offers PIPECONNECT, or may.
func offers(s *Site) []Finding {
	mta := s.Config.MTA
	if s.Machine.MTA(mta[0]).Kind != surroundings.Exim {
		return nil
	}
	write := "write " + pipeconnect + " = : into its main configuration"
	switch offers, err := offersPipeconnect(mta); {
	case err != nil:
		return one(s.at("mta"), fmt.Sprintf("this Exim does not say whether it offers "+
			"PIPECONNECT (%v)", err), write)
	case offers:
		return one(s.at("mta"), "this Exim offers PIPECONNECT", write)
	}
	return nil
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
