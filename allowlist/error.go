package allowlist

import "fmt"

// Error says what is wrong with a network, or with a line about it.
type Error struct {
	Msg  string // what is wrong
	Hint string // what to write instead
}

func (e *Error) Error() string { return e.Msg + "; " + e.Hint }

func newError(hint, format string, args ...any) *Error {
	return &Error{Msg: fmt.Sprintf(format, args...), Hint: hint}
}
