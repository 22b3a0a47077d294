package admin

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ParseFlags reads the flags at the beginning of args. One of them that stands behind an argument
// is an error that says so: there it would be an argument itself. What follows -- is one. So is the
// argument number text, counted from 1, whatever it is: it may be a stranger's.
func ParseFlags(flags *flag.FlagSet, args []string, text int) error {
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
