// Package admin is what an administrator types: sendwrap check, status, blocks, block, unblock,
// strike, try. It reads the same configuration and ledger, through the same code, as the
// processes at the door, so that what it says is what happens.
package admin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"

	multierror "github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// Exit codes, as ucspi-tcp and its like have them.
const (
	ExitOK        = 0
	ExitUsage     = 100 // usage, or a wrong configuration
	ExitTemporary = 111
)

// command is one word of the command line.
type command struct {
	name, args, help string
	run              func(c *call) error
}

// commands lists all, in the order in which help shows them.
func commands() []command {
	return []command{
		{"check", "[ADDRESS…]", "is the configuration right; what would happen to ADDRESS, and why", check},
		{"status", "[-json]", "live sessions, blocks, verdicts so far, and when early talkers spoke", status},
		{"blocks", "[-nft | -json]", "the blocks in force; -nft: for a firewall's sets, at boot", blocks},
		{"block", "[-kill] ADDRESS|NETWORK [DURATION [REASON]]", "refuse its connections for a while, and end its sessions; -kill: at once", block},
		{"unblock", "ADDRESS|NETWORK", "end its block, and those on networks within", unblock},
		{"strike", "ADDRESS [REASON]", "count an offence, as an early talker's; for filters and scripts", strike},
		{"listen", "ADDRESS…", "serve on sockets of its own, all clients in one process: the room", nil},
		{"guard", "", "watch the recipients of every session, as a milter for sendmail or Postfix", nil},
		{"try", "[-room] [-slow] [-listen ADDRESS]", "see it all at work, on loopback; -room: one process for all; -slow: for a slow machine", tryIt},
		{"version", "", "which build this is", version},
		{"help", "", "this text", nil},
	}
}

// call is one command as it was typed.
type call struct {
	args           []string // behind the command's name
	file           string   // -f
	stdout, stderr io.Writer
	syslog         string // where it listens
}

// usageError is a mistake in what was typed.
type usageError string

func (e usageError) Error() string { return string(e) }

// errSaid is a failure about which all has been said.
var errSaid = errors.New("")

// Run executes the command that args begin with, and returns the exit code.
func Run(args []string, stdout, stderr io.Writer) int {
	switch args[0] {
	case "-h", "-help", "--help":
		Usage(stdout)
		return ExitOK
	case "-f":
		fmt.Fprintln(stderr, "sendwrap: -f wants one FILE, and stands behind the name of a command; see sendwrap help")
		return ExitUsage
	}
	for _, cmd := range commands() {
		if cmd.name != args[0] {
			continue
		}
		if cmd.run == nil {
			Usage(stdout)
			return ExitOK
		}
		err := cmd.run(&call{args: args[1:], file: config.DefaultPath, stdout: stdout, stderr: stderr, syslog: maillog.DevLog})
		return exitCode(err, cmd, stdout, stderr)
	}
	fmt.Fprintf(stderr, "sendwrap: unknown command %q; see sendwrap help\n", args[0])
	return ExitUsage
}

func exitCode(err error, cmd command, stdout, stderr io.Writer) int {
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case err == flag.ErrHelp:
		fmt.Fprintf(stdout, "usage: sendwrap %s [-f FILE] %s\n       %s\n", cmd.name, cmd.args, cmd.help)
		return ExitOK
	case err == errSaid:
		return ExitUsage
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sendwrap %s: %s\nusage: sendwrap %s [-f FILE] %s\n", cmd.name, usage, cmd.name, cmd.args)
		return ExitUsage
	}
	fmt.Fprintf(stderr, "sendwrap %s: %v\n", cmd.name, err)
	return ExitTemporary
}

// Usage writes what can be typed.
func Usage(w io.Writer) {
	fmt.Fprintf(w, "usage: sendwrap [-f FILE]             serve the client, or the listening socket, on stdin; started by a super-server\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "       sendwrap %s %s\n                %s\n", cmd.name, cmd.args, cmd.help)
	}
	fmt.Fprintf(w, "Each command takes -f FILE right after its name; without it the configuration is %s.\n", config.DefaultPath)
}

// parse reads the flags, -f among them, and wants between least and most arguments behind them.
func (c *call) parse(flags *flag.FlagSet, least, most int) error {
	flags.SetOutput(io.Discard)
	flags.StringVar(&c.file, "f", c.file, "")
	if err := flags.Parse(c.args); err == flag.ErrHelp {
		return err
	} else if err != nil {
		return usageError(err.Error())
	}
	c.args = flags.Args()
	switch n := len(c.args); {
	case n < least:
		return usageError("an argument is missing")
	case n > most:
		return usageError(fmt.Sprintf("%q is one argument too many", c.args[most]))
	}
	return nil
}

// config reads the configuration with all its networks. Wrong directives are told,
// and do not keep the command from its work: the door skips them too.
func (c *call) config() (cfg *config.Config, wrong int, err error) {
	cfg, err = config.Load(c.file, allowlist.All())
	if cfg == nil {
		fmt.Fprintf(c.stderr, "sendwrap: %v\n", err)
		return nil, 0, errSaid
	}
	var all *multierror.Error
	if errors.As(err, &all) {
		for _, e := range all.Errors {
			fmt.Fprintf(c.stderr, "%v\n", e)
		}
		wrong = len(all.Errors)
	}
	return cfg, wrong, nil
}

// openExisting opens the ledger if there is one. Before the first connection there
// is none, and it is not for a command that only looks to make it: then
// d.Ledger stays nil.
func (c *call) openExisting(d *wrapper.Door) error {
	if _, err := os.Lstat(d.Config.Ledger.Path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return c.openLedger(d)
}

// openAsRoom is openExisting for a door that is to decide as the one at which clients arrive: as a room's, if one has sessions.
func (c *call) openAsRoom(d *wrapper.Door) error {
	if err := c.openExisting(d); err != nil || d.Ledger == nil {
		return err
	}
	// Should it fail, so does what the door asks next.
	_ = d.Ledger.Do(ledger.Now(), func(t *ledger.Tx) { d.Process.Shared = anyShared(t.Sessions()) })
	return nil
}

// anyShared says whether there is a room, as far as that can be told from who waits: those it serves are their MTAs'.
func anyShared(live []ledger.LiveSession) bool {
	return slices.ContainsFunc(live, func(s ledger.LiveSession) bool { return s.Process.Shared })
}

// openLedger opens the ledger, and makes it where there is none.
func (c *call) openLedger(d *wrapper.Door) error {
	l, notes, err := ledger.Open(d.Config.Ledger.Path, d.Config.Ledger.Clients, ledger.ThisBoot())
	for _, n := range notes {
		fmt.Fprintf(c.stderr, "sendwrap: %s\n", n)
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; try as root", err)
	}
	d.Ledger = l
	return err
}

// network is what an argument names: a network as it stands, an address with all that
// is counted together with it.
func network(d *wrapper.Door, arg string) (netip.Prefix, error) {
	n, err := allowlist.ParseNetwork(arg)
	if err != nil {
		return n, usageError(err.Error())
	}
	if n.IsSingleIP() {
		return d.Network(n.Addr()), nil
	}
	return n, nil
}

// address is a single client.
func address(arg string) (netip.Addr, error) {
	n, err := allowlist.ParseNetwork(arg)
	if err != nil {
		return netip.Addr{}, usageError(err.Error())
	}
	if !n.IsSingleIP() {
		return netip.Addr{}, usageError(fmt.Sprintf("%q is a network; name one address", arg))
	}
	return n.Addr(), nil
}
