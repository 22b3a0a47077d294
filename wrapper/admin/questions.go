package admin

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/guard"
	"sendwrap/wrapper/ledger"
)

// findings is what check has to say about a configuration that can be parsed.
type findings struct {
	config   *config.Config
	mistakes []error
	notes    []string // what works, and is seldom meant
}

// ask has each package say whether it could use what the configuration names.
func (f *findings) ask() {
	c := f.config
	err := checkProgram("mta", c.MTA[0], exec.CheckProgram)
	if err == nil {
		err = wrapper.Unfit(c.MTA)
	}
	f.add("mta", err)
	if c.OnBlock != nil {
		f.add("on_block", checkProgram("on_block", c.OnBlock[0], exec.CheckHook))
	}
	f.addSeen("ledger", ledger.Check(c.Ledger.Path))
	if c.Transcript.Dir != "" {
		f.addSeen("transcript", guard.CheckTranscripts(c.Transcript.Dir))
	}
	if c.GuardListen != config.Default().GuardListen {
		f.addSeen("guard_listen", guard.CheckListen(c.GuardListen))
	}
	if err == nil {
		f.note("mta", shellNote(c.MTA))
	}
	f.note("greet_delay", nameNote(c))
	f.notes = append(f.notes, networkNotes(c.Networks)...)
	f.notes = append(f.notes, accessNotes(c)...)
	f.notes = append(f.notes, listNotes(c)...)
}

// add adds a mistake in a directive; nil is none.
func (f *findings) add(directive string, err error) {
	if err != nil {
		place := f.config.Place(directive)
		f.mistakes = append(f.mistakes, fmt.Errorf("%s: %s: %w", place, directive, err))
	}
}

// addSeen is add for files that sendwrap may see though the user of check may not.
func (f *findings) addSeen(directive string, err error) {
	if os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) {
		f.notes = append(f.notes, fmt.Sprintf("%s: %v", directive, err))
		return
	}
	f.add(directive, err)
}

// note adds a note on a directive; "" is none.
func (f *findings) note(directive, text string) {
	if text != "" {
		place := f.config.Place(directive)
		f.notes = append(f.notes, fmt.Sprintf("%s: %s: %s", place, directive, text))
	}
}

// checkProgram returns why the program of a directive cannot be used, and what to write.
func checkProgram(directive, program string, check func(path string) error) error {
	err := check(program)
	first, _, several := strings.Cut(program, " ")
	switch fault := (*fileaccess.Fault)(nil); {
	case err == nil, errors.As(err, &fault):
		return err
	case several && check(first) == nil:
		return fmt.Errorf("%w: the quotes make it one word; leave them out", err)
	}
	return fmt.Errorf("%w; write %s PROGRAM ARG..., with the path of a program", err, directive)
}

// accessNotes name files by which users other than root and our own could have any program run as
// the MTA, or put any line into the configuration. Mail goes on nevertheless.
func accessNotes(c *config.Config) (notes []string) {
	fault := (*fileaccess.Fault)(nil)
	if err := fileaccess.CheckPath(c.MTA[0]); errors.As(err, &fault) {
		notes = append(notes, fmt.Sprintf("%s: mta: %v", c.Place("mta"), err))
	}
	for _, file := range c.Files {
		if err := fileaccess.CheckPath(file); err != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", file, err))
		}
	}
	return notes
}
