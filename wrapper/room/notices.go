package room

import (
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// notices are what the loop learns from other goroutines and by signals.
type notices struct {
	wake   int         // an eventfd, for the poller's sake
	posts  chan func() // what the loop is to do
	asked  atomic.Uint32
	heed   func(asked uint32) // in the loop
	stops  chan os.Signal
	others []chan os.Signal
	synced chan struct{}
}

// What signals ask for.
const (
	askStop uint32 = 1 << iota
	askReload
	askReplace
	askReap
)

// newNotices begins to listen for signals, which must come before the configuration is read: one
// who has changed it since says so by a signal. Each kind has a channel of its own with room for
// one, so that none is lost for others.
func newNotices(heed func(asked uint32)) (*notices, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	n := &notices{wake: wake, posts: make(chan func(), 64), heed: heed, synced: make(chan struct{})}
	n.stops = n.on(askStop)
	n.others = []chan os.Signal{n.on(askReload), n.on(askReplace), n.on(askReap)}
	n.listen()
	return n, nil
}

// on is a channel of signals that ask for something. A nil in it only tells when it has been taken.
func (n *notices) on(what uint32) chan os.Signal {
	c := make(chan os.Signal, 1)
	go func() {
		for s := range c {
			if s == nil {
				n.synced <- struct{}{}
				continue
			}
			n.ask(what)
		}
	}()
	return c
}

func (n *notices) listen() {
	signal.Notify(n.stops, unix.SIGTERM, unix.SIGINT)
	for i, s := range []os.Signal{unix.SIGHUP, unix.SIGUSR2, unix.SIGCHLD} {
		signal.Notify(n.others[i], s)
	}
}

// lastCall stops listening for SIGTERM and SIGINT, which do what is their default from then on, and
// takes what has been asked for by then; listen begins again. It reports whether there was
// anything.
func (n *notices) lastCall() bool {
	signal.Stop(n.stops) // which waits for what is on its way into the channel
	n.stops <- nil
	<-n.synced
	return n.take()
}

// post has the loop do something. It may be called by any goroutine, and does not wait for it to be
// done.
func (n *notices) post(do func()) {
	n.posts <- do
	n.rouse()
}

// ask has the loop do what a signal would ask for.
func (n *notices) ask(what uint32) {
	n.asked.Or(what)
	n.rouse()
}

func (n *notices) rouse() {
	one := [8]byte{1}
	_, _ = unix.Write(n.wake, one[:]) // EAGAIN: it is readable anyway
}

// take does what the loop has been told to, and reports whether that was anything.
func (n *notices) take() (anything bool) {
	var count [8]byte
	_, _ = unix.Read(n.wake, count[:])
	if asked := n.asked.Swap(0); asked != 0 {
		n.heed(asked)
		anything = true
	}
	for {
		select {
		case do := <-n.posts:
			do()
			anything = true
		default:
			return anything
		}
	}
}

// heed does what signals ask for.
func (r *room) heed(asked uint32) {
	if asked&askReap != 0 {
		r.reap()
	}
	if asked&askStop != 0 {
		r.shut()
	}
	if asked&askReload != 0 {
		r.reload()
	}
	if asked&askReplace != 0 {
		r.replace()
	}
}
