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
	"strings"

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
		{"blocks", "[-nft [-load] | -json]", "the blocks in force; -nft: for nft(8); -load: into the firewall", blocks},
		{"block", "[-kill] [-force] [-auto] ADDRESS|NETWORK [DURATION [REASON]]",
			"refuse its connections for a while, and end its sessions; -kill: at once; " +
				"-force: even this machine's own; -auto: for a program", block},
		{"unblock", "[-auto] ADDRESS|NETWORK",
			"end its block, and those on networks within; -auto: only one of block -auto", unblock},
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
	text           int      // which argument may be any text, counted from 1
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
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-V", "-version", "--version":
		name = "version"
	case "-f":
		fmt.Fprintln(stderr, "sendwrap: -f wants one FILE, and stands behind the name of a command; see sendwrap help")
		return ExitUsage
	}
	var known []string
	for _, cmd := range commands() {
		if known = append(known, cmd.name); cmd.name != name {
			continue
		}
		if cmd.run == nil {
			Usage(stdout)
			return ExitOK
		}
		err := cmd.run(&call{args: args[1:], file: config.DefaultPath, stdout: stdout, stderr: stderr, syslog: maillog.DevLog})
		return exitCode(err, cmd, stdout, stderr)
	}
	hint := "see sendwrap help"
	if meant := config.Nearest(strings.TrimLeft(name, "-"), known); meant != "" {
		hint = "did you mean sendwrap " + meant + "?"
	}
	fmt.Fprintf(stderr, "sendwrap: unknown command %q; %s\n", name, hint)
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
	flags.StringVar(&c.file, "f", c.file, "")
	if err := ParseFlags(flags, c.args, c.text); err == flag.ErrHelp {
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
			fmt.Fprintf(c.stderr, "%v%s\n", e, config.InEffect(e))
		}
		wrong = len(all.Errors)
	}
	return cfg, wrong, nil
}

// openExisting opens the ledger, if there is one, for a command that only looks: it makes none, and
// sets none aside. Before the first connection there is none, and d.Ledger stays nil.
func (c *call) openExisting(d *wrapper.Door) error {
	l, err := ledger.OpenAsIs(d.Config.Ledger.Path, ledger.ThisBoot())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	d.Ledger = l
	return asRoot(err)
}

// openAsRoom is openExisting for a door that is to decide as the one at which clients arrive: as a
// room's, if there is a room.
func (c *call) openAsRoom(d *wrapper.Door) error {
	err := c.openExisting(d)
	d.Process.Shared = d.Ledger != nil && d.Ledger.HasRoom()
	return err
}

// openLedger opens the ledger, and makes it where there is none.
func (c *call) openLedger(d *wrapper.Door) error {
	l, notes, err := ledger.Open(d.Config.Ledger.Path, d.Config.Ledger.Clients, ledger.ThisBoot())
	for _, n := range notes {
		fmt.Fprintf(c.stderr, "sendwrap: %s\n", n)
	}
	d.Ledger = l
	return asRoot(err)
}

// asRoot says of an error what may help.
func asRoot(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; try as root", err)
	}
	return err
}

// network is what an argument names: a network as it stands, an address with all that
// is counted together with it.
func network(d *wrapper.Door, arg string) (netip.Prefix, error) {
	n, err := parseNetwork(arg)
	if err != nil {
		return n, err
	}
	if n.IsSingleIP() {
		return d.Network(n.Addr()), nil
	}
	return n, nil
}

// address is a single client.
func address(arg string) (netip.Addr, error) {
	n, err := parseNetwork(arg)
	if err != nil {
		return netip.Addr{}, err
	}
	if !n.IsSingleIP() {
		return netip.Addr{}, usageError(fmt.Sprintf("%q is a network; name one address", arg))
	}
	return n.Addr(), nil
}

// parseNetwork reads a network, or an address as an administrator finds it. What is neither, and
// like nothing else, is taken for an address: that is what is mostly typed.
func parseNetwork(arg string) (netip.Prefix, error) {
	n, err := allowlist.ParseNetwork(bare(arg))
	var why *allowlist.Error
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &why) && strings.HasPrefix(why.Hint, "write a network") &&
		strings.Index(arg, "/") <= 0:
		return n, usageError(fmt.Sprintf("%q is not an address; write one such as 192.0.2.7", arg))
	}
	return n, usageError(err.Error())
}

// bare is the address of a word such as the log and bounces have: [192.0.2.30]:51544,
// [IPv6:2001:db8::1]. Other words stay as they are.
func bare(word string) string {
	inside, port, closed := strings.Cut(word, "]")
	inside, opened := strings.CutPrefix(inside, "[")
	if !opened || !closed || strings.Trim(port, ":0123456789") != "" {
		return word
	}
	const tag = "IPv6:"
	if len(inside) > len(tag) && strings.EqualFold(inside[:len(tag)], tag) {
		inside = inside[len(tag):]
	}
	if _, err := netip.ParseAddr(inside); err != nil {
		return word
	}
	return inside
}
