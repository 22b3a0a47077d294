package allowlist

import (
	"fmt"

	"sendwrap/allowlist/rule"
)

// Error says what is wrong with a network or name, or with a line about it.
type Error struct {
	Msg  string // what is wrong
	Hint string // what to write instead
}

func (e *Error) Error() string { return e.Msg + "; " + e.Hint }

func newError(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}

// AccessTwice is the error for a network or name that one line allows and another denies.
func AccessTwice(what string, a, earlier rule.Access, at rule.Source) *Error {
	return newError("keep one of the two", "%s of %s contradicts %s at %s", a, what, earlier, at)
}

// LimitTwice is the error for a network or name whose lines give a limit two values.
func LimitTwice(what string, k rule.Key, at rule.Source) *Error {
	return newError("keep one of the two", "%s of %s has another value at %s", k, what, at)
}
