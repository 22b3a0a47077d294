package exec

// wrapped is an error with our words around it. errors.Is and errors.As find what it is about.
type wrapped struct {
	before string
	err    error
	after  string
}

func (w *wrapped) Error() string { return w.before + w.err.Error() + w.after }

func (w *wrapped) Unwrap() error { return w.err }

// wrap puts words before and after an error. fmt.Errorf would do the same, but package fmt would
// come with all that it imports, and each client's process would take longer to start.
func wrap(before string, err error, after string) error { return &wrapped{before, err, after} }
