// Package admin has the commands that an administrator types: sendwrap check, doctor, status,
// blocks, block, unblock, strike, try. They read configuration and ledger through the same code as
// the processes that serve clients, so that their answers hold.
package admin

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	multierror "github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/spelling"
)

// Exit codes, as those of ucspi-tcp.
const (
	ExitOK        = 0
	ExitFound     = 1   // of doctor
	ExitUsage     = 100 // usage, or a wrong configuration
	ExitTemporary = 111
)

// command is one word of the command line.
type command struct {
	name, args, help string
	run              func(c *call) error // nil: main runs it
}

// commands lists all commands, in the order in which help shows them.
func commands() []command {
	return []command{
		{"check", "[-n] [ADDRESS…]",
			"check the configuration; say what would happen to ADDRESS, and why; " +
				"-n: do not ask DNS", check},
		{"doctor", "[-n] [-json]",
			"say what on this machine would lose or refuse honest mail; -n: do not ask DNS",
			examine},
		{"compile", "",
			"compile the configuration now, before the next connection does", compileNow},
		{"status", "[-json]",
			"show live sessions, blocks, verdicts so far, and when early talkers spoke", status},
		{"top", "[-once]",
			"show what happens now, on the whole screen; -once: as text", nil},
		{"metrics", "[-listen ADDRESS]",
			"print numbers for Prometheus; -listen: serve them over HTTP", nil},
		{"blocks", "[-nft [-load] | -json]",
			"list the blocks in force; -nft: for nft(8); -load: into the firewall", blocks},
		{"block", "[-kill] [-force] [-auto] ADDRESS|NETWORK [DURATION [REASON]]",
			"refuse its connections for a while, and end its sessions; -kill: at once; " +
				"-force: even this machine's own; -auto: for a program", block},
		{"unblock", "[-auto] ADDRESS|NETWORK",
			"end its block, and those within it; -auto: only one of block -auto", unblock},
		{"strike", "ADDRESS [REASON]",
			"count an offence, as that of an early talker; for filters and scripts", strike},
		{"listen", "ADDRESS…", "serve on sockets of its own, all clients in one process", nil},
		{"guard", "",
			"watch the recipients of every session, as a milter for sendmail or Postfix", nil},
		{"share", "[-check]",
			"tell other machines what happens here, and hear what happens there; " +
				"-check: how it stands", nil},
		{"report", "[-since 24h|DATE] [-text|-html|-json|-mail TO] [-asn FILE] [LOG…]",
			"say what the mail log comes to: refusals, possible mistakes, new blocks; " +
				"and the delay to choose", nil},
		{"replay", "[-json] [-room] [-session DURATION] [LOG…]",
			"say what this configuration would have decided about the clients of a log; " +
				"-f: another one", nil},
		{"setup", "[-do | -undo]",
			"show how to put sendwrap in front of this machine's MTA, in mode observe; " +
				"-do: do so; -undo: take it back", nil},
		{"try", "[-room] [-slow] [-listen ADDRESS]",
			"show sendwrap at work on loopback; -room: one process for all; " +
				"-slow: for a slow machine", tryIt},
		{"version", "", "show the version of this program", version},
		{"help", "", "show this text", nil},
	}
}

// call is one command as it was typed.
type call struct {
	args           []string // after the command's name
	text           int      // which argument may be any text, counted from 1
	file           string   // -f
	stdout, stderr io.Writer
	syslog         string // the path of its socket
	policies       string // the directory of compiled policies
}

// UsageError is a mistake in what was typed.
type UsageError string

func (e UsageError) Error() string { return string(e) }

// errReported is a failure that has been reported to the user.
var errReported = errors.New("")

// errFound is that the doctor has found what loses or refuses honest mail, and has reported it.
var errFound = errors.New("")

// Run executes the command that args begin with, and returns the exit code. Compiled policies are
// in the directory policies.
func Run(args []string, policies string, stdout, stderr io.Writer) int {
	name := args[0]
	switch name {
	case "-h", "-help", "--help":
		name = "help"
	case "-v", "-V", "-version", "--version":
		name = "version"
	case "-f":
		fmt.Fprintln(stderr, "sendwrap: -f takes one FILE, and is written after the command; "+
			"see sendwrap help")
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
		err := cmd.run(&call{
			args: args[1:], file: config.DefaultPath, stdout: stdout, stderr: stderr,
			syslog: maillog.DevLog, policies: policies,
		})
		return cmd.exitStatus(err, stdout, stderr)
	}
	hint := "see sendwrap help"
	if meant := spelling.Nearest(strings.TrimLeft(name, "-"), known); meant != "" {
		hint = "did you mean sendwrap " + meant + "?"
	}
	fmt.Fprintf(stderr, "sendwrap: unknown command %q; %s\n", name, hint)
	return ExitUsage
}

// exitStatus reports the result of a command to the user.
func (cmd command) exitStatus(err error, stdout, stderr io.Writer) int {
	var usage UsageError
	switch {
	case err == nil:
		return ExitOK
	case err == flag.ErrHelp:
		fmt.Fprintf(stdout, "usage: sendwrap %s [-f FILE] %s\n       %s\n",
			cmd.name, cmd.args, strings.Join(folded(cmd.help), "\n       "))
		return ExitOK
	case err == errReported:
		return ExitUsage
	case err == errFound:
		return ExitFound
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "sendwrap %s: %s\nusage: sendwrap %[1]s [-f FILE] %[3]s\n",
			cmd.name, usage, cmd.args)
		return ExitUsage
	}
	fmt.Fprintf(stderr, "sendwrap %s: %v\n", cmd.name, err)
	return ExitTemporary
}

// Usage writes the list of commands.
func Usage(w io.Writer) {
	fmt.Fprint(w, "usage: sendwrap [-f FILE]\n                "+
		"serve the client, or the listening socket, on stdin; started by a super-server\n")
	for _, cmd := range commands() {
		usage := strings.TrimRight(cmd.name+" "+cmd.args, " ")
		fmt.Fprintf(w, "       sendwrap %s\n", usage)
		for _, line := range folded(cmd.help) {
			fmt.Fprintf(w, "                %s\n", line)
		}
	}
	fmt.Fprintf(w, "Each command takes -f FILE right after its name; the default FILE is %s.\n",
		config.DefaultPath)
}

// config reads the configuration with all its networks. It prints wrong directives, and counts
// them. They do not stop the command: the processes that serve clients skip them, too.
func (c *call) config() (cfg *config.Config, mistakes int, err error) {
	cfg, err = config.Load(c.file, allowlist.All())
	if cfg == nil {
		fmt.Fprintf(c.stderr, "sendwrap: %v\n", err)
		return nil, 0, errReported
	}
	return cfg, c.printMistakes(err), nil
}

// printMistakes prints the wrong directives in an error of config.Load, and counts them.
func (c *call) printMistakes(err error) int {
	var all *multierror.Error
	if !errors.As(err, &all) {
		return 0
	}
	for _, e := range all.Errors {
		fmt.Fprintf(c.stderr, "%v%s\n", e, config.InEffect(e))
	}
	return len(all.Errors)
}

// configured is a door, and the whole configuration behind its policy.
type configured struct {
	*wrapper.Door
	Config *config.Config
}

// openExisting opens the ledger, if there is one, for a command that only looks: it makes none, and
// sets none aside. Before the first connection there is none, and d.Ledger stays closed.
func (c *call) openExisting(d *configured) error {
	d.Ledger.Path = d.Config.Ledger.Path
	err := d.Ledger.OpenExisting()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return AsRoot(err)
}

// openLedger opens the ledger, and makes it where there is none.
func (c *call) openLedger(d *configured) error {
	d.Ledger.Options = ledger.Options{
		Path: d.Config.Ledger.Path, Clients: d.Config.Ledger.Clients,
		Warn: func(text string) { fmt.Fprintf(c.stderr, "sendwrap: %s\n", text) },
	}
	return AsRoot(d.Ledger.Open())
}

// AsRoot says of an error what may help.
func AsRoot(err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%w; try as root", err)
	}
	return err
}
