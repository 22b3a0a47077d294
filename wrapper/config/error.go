package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

const (
	maxErrors   = 1000 // of one run; the administrator corrects these first
	maxShown    = 100  // bytes of a word that an error shows
	maxLogLines = 5    // of one run; sendwrap check prints all errors
)

// Error is one mistake in a configuration file.
type Error struct {
	File string
	Line int    // 0 = the file as a whole
	Msg  string // what is wrong
	Hint string // what to write instead

	// InEffect is what applies until the line is corrected, as it would be written. It is empty if
	// the default applies.
	InEffect string
}

// Error is FILE:LINE: what is wrong; what to write instead.
func (e *Error) Error() string { return e.located() + "; " + e.Hint }

// located is what is wrong, after the place as far as it is known.
func (e *Error) located() string {
	switch {
	case e.Line > 0:
		return e.File + ":" + strconv.Itoa(e.Line) + ": " + e.Msg
	case e.File != "":
		return e.File + ": " + e.Msg
	}
	return e.Msg
}

// CountMistakes is how many wrong directives an error of [Load] names.
func CountMistakes(err error) int {
	var all *multierror.Error
	if !errors.As(err, &all) {
		return 0
	}
	return len(all.Errors)
}

// LineSkipped is the outcome for [LogLines] if there is no earlier configuration to keep.
const LineSkipped = " (skipped)"

// LogLines turns an error of [Load] into lines for a log: the first five mistakes, each followed by
// its outcome, and the number of the others. Mistakes with a lenient value come first: for these,
// the outcome [LineSkipped] becomes that value.
func LogLines(err error, outcome string) []string {
	var all *multierror.Error
	if !errors.As(err, &all) {
		if err == nil {
			return nil
		}
		return []string{err.Error()}
	}
	errs := slices.Clone(all.Errors)
	slices.SortStableFunc(errs, func(a, b error) int {
		return min(len(InEffect(b)), 1) - min(len(InEffect(a)), 1)
	})
	var lines []string
	for i, e := range errs {
		if i == maxLogLines {
			more := fmt.Sprintf("%d more wrong directives; run sendwrap check", len(errs)-i)
			return append(lines, more)
		}
		if lenient := InEffect(e); outcome == LineSkipped && lenient != "" {
			lines = append(lines, e.Error()+lenient)
		} else {
			lines = append(lines, e.Error()+outcome)
		}
	}
	return lines
}

// InEffect is a remark for one mistake that [Load] has found: the lenient value that applies until
// the line is corrected. It is empty if the default applies.
func InEffect(mistake error) string {
	var e *Error
	if !errors.As(mistake, &e) || e.InEffect == "" {
		return ""
	}
	return " (until then: " + e.InEffect + ")"
}

// prefixError puts the name of a directive, or of one of its keys, before an error of this package.
func prefixError(name string, err error) error {
	if err == nil {
		return nil
	}
	e := err.(*Error)
	return &Error{Msg: name + ": " + e.located(), Hint: e.Hint, InEffect: e.InEffect}
}

// newError returns an Error without its place, which errorList.add sets.
func newError(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// quoted is a word as an error shows it.
func quoted(word string) string {
	if len(word) > maxShown {
		return strconv.Quote(word[:maxShown]) + "..."
	}
	return strconv.Quote(word)
}

// errorList collects mistakes in the order of the files.
type errorList struct {
	errs []error // *Error each, maxErrors at most
	more int     // dropped beyond these
}

func (l *errorList) full() bool { return len(l.errs) == maxErrors }

// add notes a mistake at a place. err is an *Error or an *allowlist.Error.
func (l *errorList) add(at rule.Source, err error) {
	if l.full() {
		l.more++
		return
	}
	e := *fromAllowlist(err)
	e.File, e.Line = at.File, at.Line
	l.errs = append(l.errs, &e)
}

// fromAllowlist converts an *allowlist.Error. It returns an *Error unchanged.
func fromAllowlist(err error) *Error {
	switch err := err.(type) {
	case *Error:
		return err
	case *allowlist.Error:
		return &Error{Msg: err.Msg, Hint: err.Hint}
	case *dnsbl.Error:
		return &Error{Msg: err.Msg, Hint: err.Hint}
	}
	return &Error{Msg: err.Error(), Hint: "remove it"}
}

// result is a *multierror.Error that prints one line for each mistake, or nil.
func (l *errorList) result(path string) error {
	if len(l.errs) == 0 {
		return nil
	}
	if l.more > 0 {
		more := newError("correct these first", "%d more errors", l.more)
		more.File = path
		l.errs = append(l.errs, more)
	}
	return &multierror.Error{Errors: l.errs, ErrorFormat: joinLines}
}

func joinLines(errs []error) string {
	lines := make([]string, len(errs))
	for i, err := range errs {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}
