package admin

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"sendwrap/wrapper/config"
)

// Parse reads the arguments of a command that main runs: its flags, of which the set has the
// command's name, and -f FILE; then between least and most others. Unless ok, it has printed help
// or what is wrong, and the program exits with status.
func Parse(flags *flag.FlagSet, args []string, least, most int) (
	file string, rest []string, status int, ok bool,
) {
	c := &call{args: args, file: config.DefaultPath}
	err := c.parse(flags, least, most)
	return c.file, c.args, Exit(flags.Name(), err), err == nil
}

// Exit reports the result of a command that main runs, and returns the exit status.
func Exit(name string, err error) int {
	list := commands()
	cmd := list[slices.IndexFunc(list, func(cmd command) bool { return cmd.name == name })]
	return cmd.exitStatus(err, os.Stdout, os.Stderr)
}

// parse reads the flags, including -f, and wants between least and most arguments after them.
func (c *call) parse(flags *flag.FlagSet, least, most int) error {
	flags.StringVar(&c.file, "f", c.file, "")
	if err := parseFlags(flags, c.args, c.text); err == flag.ErrHelp {
		return err
	} else if err != nil {
		return UsageError(err.Error())
	}
	c.args = flags.Args()
	switch n := len(c.args); {
	case n < least:
		return UsageError("an argument is missing")
	case n > most:
		return UsageError(fmt.Sprintf("unexpected argument %q", c.args[most]))
	}
	return nil
}

// parseFlags reads the flags at the beginning of args. A flag after an argument is an error that
// says so, since flag.Parse would take it for an argument. Words after "--" are arguments, and so
// is the argument number text, counted from 1: a client may have written it.
func parseFlags(flags *flag.FlagSet, args []string, text int) error {
	flags.SetOutput(io.Discard)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if read := len(args) - flags.NArg(); read > 0 && args[read-1] == "--" {
		return nil
	}
	late := slices.IndexFunc(flags.Args(), func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		return strings.HasPrefix(arg, "-") && flags.Lookup(name) != nil
	})
	if late < 0 || late == text-1 {
		return nil
	}
	return fmt.Errorf("%s comes too late; write it before %q", flags.Arg(late), flags.Arg(0))
}
