package ledger

// together is under way while a [Handle.Together] is.
type together struct {
	started bool
	tx      *Tx   // nil: the lock was not to be had,
	err     error // because of this
}

// Together calls do, and does under one lock what do has Run do: for several clients at once. As
// with Run itself, each of these works is done completely or not at all, and one that is done stays
// done, whatever comes after it. If the ledger cannot be used, each of them gets the error.
//
// All other processes wait as long as do takes, so it must compute and nothing else, and must not
// call [Ledger.Peek].
func (h *Handle) Together(do func()) {
	done := false
	err := h.Run(func(t *Tx) {
		h.together = together{started: true, tx: t}
		defer func() { h.together = together{} }()
		do()
		if done = true; t.l.lost {
			panic(errDamaged) // it must not be committed
		}
	})
	if done {
		return
	}
	h.together = together{started: true, err: err}
	defer func() { h.together = together{} }()
	do()
}

// run is [Handle.Run] within Together.
func (g *together) run(work func(*Tx)) error {
	if g.tx == nil {
		return g.err
	}
	return g.tx.part(work)
}

// part does a part of an operation, which stays done.
func (t *Tx) part(work func(*Tx)) (err error) {
	if t.l.lost {
		return ErrLost
	}
	defer t.l.catchFault(&err, setPanicOnFault(true))
	work(t)
	t.checkpoint()
	return nil
}
