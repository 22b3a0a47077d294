package ledger

// explainedError is an error in our own words. errors.Is and errors.As find the causes in it.
//
// It is here since fmt, which could make it, is not: a process for each client would pay for that
// package at each start.
type explainedError struct {
	text   string
	causes []error
}

func (e *explainedError) Error() string   { return e.text }
func (e *explainedError) Unwrap() []error { return e.causes }

// explained says in that text what the causes mean here.
func explained(text string, causes ...error) error { return &explainedError{text, causes} }
