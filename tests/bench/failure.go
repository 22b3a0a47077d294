package main

// failure is what a measurement that cannot go on panics with. A measurement is a process of its
// own: there is nothing else to be done then, and nothing to be cleaned up.
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
