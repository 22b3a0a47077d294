package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
)

const (
	maxErrors = 1000 // most that are kept of one run; who has more corrects these first
	maxShown  = 100  // most bytes of a word that an error shows
)

// Error is one thing wrong with a configuration file.
type Error struct {
	File string
	Line int    // 0: the file as a whole
	Msg  string // what is wrong
	Hint string // what to write instead

	// What holds until then where that is neither the line nor the default, as it would be written.
	Holds string
}

// Error is FILE:LINE: what is wrong; what to write instead.
func (e *Error) Error() string { return e.placed() + "; " + e.Hint }

// placed is what is wrong, and where as far as that is known.
func (e *Error) placed() string {
	switch {
	case e.Line > 0:
		return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Msg
	case e.File != "":
		return e.File + ": " + e.Msg
	}
	return e.Msg
}

// mostTold is how many mistakes are told in a log; sendwrap check tells them all.
const mostTold = 5

// Told is an error of Load as lines for a log: the first mistakes, each with what becomes of it,
// and how many more there are. Those after which something else holds than the default go first.
func Told(err error, fate string) []string {
	var all *multierror.Error
	if !errors.As(err, &all) {
		if err == nil {
			return nil
		}
		return []string{err.Error()}
	}
	var lines []string
	for i, e := range slices.Concat(those(all.Errors, true), those(all.Errors, false)) {
		if i == mostTold {
			return append(lines, fmt.Sprintf("%d more wrong directives; run sendwrap check", len(all.Errors)-i))
		}
		if holds := Holds(e); fate == Skipped && holds != "" {
			lines = append(lines, e.Error()+holds)
		} else {
			lines = append(lines, e.Error()+fate)
		}
	}
	return lines
}

// Skipped is the fate of a wrong directive where there is no better configuration to stay with.
const Skipped = " (skipped)"

// those are the mistakes after which something else than the default holds, or the others.
func those(mistakes []error, hold bool) (all []error) {
	for _, e := range mistakes {
		if (Holds(e) != "") == hold {
			all = append(all, e)
		}
	}
	return all
}

// Holds says what holds after one of the mistakes that Load found, if neither what the line says
// nor the default does, and there is no better configuration to stay with; else "".
func Holds(mistake error) string {
	var e *Error
	if !errors.As(mistake, &e) || e.Holds == "" {
		return ""
	}
	return " (until then: " + e.Holds + ")"
}

// within says in which directive, or which key of it, err is, if there is an error.
func within(name string, err error) error {
	if err == nil {
		return nil
	}
	e := err.(*Error) // all of this package's own are
	return &Error{Msg: name + ": " + e.placed(), Hint: e.Hint, Holds: e.Holds}
}

// wrong is an Error that does not know its place yet.
func wrong(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// quoted is a word as an error shows it.
func quoted(word string) string {
	if len(word) > maxShown {
		return strconv.Quote(word[:maxShown]) + "..."
	}
	return strconv.Quote(word)
}

// errorList collects what is wrong, in the order of the files.
type errorList struct {
	errs []error // *Error each, maxErrors at most
	more int     // not kept
}

// full says whether there is no room for one more error.
func (l *errorList) full() bool { return len(l.errs) == maxErrors }

// add notes what is wrong at a place. err is an *Error or an *allowlist.Error.
func (l *errorList) add(at allowlist.Source, err error) {
	if l.full() {
		l.more++
		return
	}
	e := *fromAllowlist(err)
	e.File, e.Line = at.File, at.Line
	l.errs = append(l.errs, &e)
}

// fromAllowlist is an error of this package's own, or of allowlist, as one of our own.
func fromAllowlist(err error) *Error {
	switch err := err.(type) {
	case *Error:
		return err
	case *allowlist.Error:
		return &Error{Msg: err.Msg, Hint: err.Hint}
	}
	return &Error{Msg: err.Error(), Hint: "remove it"}
}

// result is a *multierror.Error that prints one line for each, or nil.
func (l *errorList) result(path string) error {
	if len(l.errs) == 0 {
		return nil
	}
	if l.more > 0 {
		more := wrong("correct these first", "%d more errors", l.more)
		more.File = path
		l.errs = append(l.errs, more)
	}
	return &multierror.Error{Errors: l.errs, ErrorFormat: lines}
}

func lines(errs []error) string {
	var b strings.Builder
	for i, err := range errs {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(err.Error())
	}
	return b.String()
}
