package main

// failure is the panic of a measurement that cannot go on. A measurement is a process of its own
// with nothing to clean up, and dozens of steps of which any may fail: so a step that fails ends
// the measurement, and try makes that the error of its row. This is for functions that have no
// error result, on the goroutine that try has called; all others return their errors.
type failure struct{ error }

// check ends the measurement if there is an error.
func check(err error) {
	if err != nil {
		panic(failure{err})
	}
}

// must returns a result, or ends the measurement if there is an error instead.
func must[T any](result T, err error) T {
	check(err)
	return result
}

// try calls run, and returns the error that has ended it.
func try[T any](run func() (T, error)) (result T, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case failure:
			err = r.error
		default:
			panic(r)
		}
	}()
	return run()
}
