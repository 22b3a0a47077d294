package surroundings

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"
)

// Main options of Exim.
const (
	// Pipeconnect has the clients to which Exim offers PIPECONNECT, by default all. These then
	// speak before the greeting when they connect next.
	Pipeconnect = "pipelining_connect_advertise_hosts"
	EximPorts   = "daemon_smtp_ports"
	// NoSync has Exim take what a client says too early. Otherwise it answers 554.
	NoSync = "smtp_enforce_sync = false"
)

// eximTime is how long an Exim may take to say what is set. It takes milliseconds.
const eximTime = time.Minute

// AskExim has an Exim of this machine say how main options are set, with the configuration and the
// macros of its command line. An option that it does not know is missing in the result. It is an
// error if the Exim does not answer about each within a minute.
func AskExim(command []string, names ...string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), eximTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(configArgs(command[1:]),
		append([]string{"-bP"}, names...)...)...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.WaitDelay = time.Second // for what it has started, which keeps the pipe
	out, err := cmd.Output()
	options, answers := map[string]string{}, 0
	for line := range strings.Lines(string(out)) {
		name, value, found := strings.Cut(line, "=")
		if found {
			options[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		if found || strings.HasSuffix(line, " is not a known option\n") {
			answers++
		}
	}
	switch {
	case answers >= len(names):
		return options, nil
	case err == nil:
		err = errors.New("no answer to -bP")
	}
	return nil, err
}

// configArgs are those arguments of an Exim that say where its configuration is, and set macros.
func configArgs(args []string) (all []string) {
	for i, arg := range args {
		switch {
		case arg == "-C" && i+1 < len(args):
			all = append(all, arg, args[i+1])
		case arg != "-C" && (strings.HasPrefix(arg, "-C") || strings.HasPrefix(arg, "-D")):
			all = append(all, arg)
		}
	}
	return all
}

// Offers reports whether a list of hosts is not empty, for Exim: a colon is an empty list, too.
func Offers(hosts string) bool { return strings.Trim(hosts, ": ") != "" }
