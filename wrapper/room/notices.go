package room

import (
	"os"
	"os/signal"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// notices bring signals, and the results of other goroutines, to the loop.
type notices struct {
	wake      int         // an eventfd, which wakes the poller
	posts     chan func() // to be called in the loop
	asked     atomic.Uint32
	onSignals func(asked uint32) // is called in the loop
	stops     chan os.Signal
	others    []chan os.Signal
	synced    chan struct{}
}

// The requests that signals make.
const (
	askStop uint32 = 1 << iota
	askReload
	askReplace
	askReap
)

// newNotices begins to listen for signals. The configuration must be read after that, so that a
// SIGHUP for a later change is not lost. Each kind of signal has a channel of its own with room for
// one, so that none is lost because of others.
func newNotices(onSignals func(asked uint32)) (*notices, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	n := &notices{
		wake: wake, posts: make(chan func(), 64), onSignals: onSignals, synced: make(chan struct{}),
	}
	n.stops = n.channel(askStop)
	n.others = []chan os.Signal{n.channel(askReload), n.channel(askReplace), n.channel(askReap)}
	n.listen()
	return n, nil
}

// channel returns a channel for signals that make a request. A nil sent to it is answered on
// synced.
func (n *notices) channel(request uint32) chan os.Signal {
	c := make(chan os.Signal, 1)
	go func() {
		for s := range c {
			if s == nil {
				n.synced <- struct{}{}
				continue
			}
			n.ask(request)
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

// releaseStops leaves SIGTERM and SIGINT to their default, which is to end the process, and handles
// all notices so far. It reports whether there were any. listen undoes it.
func (n *notices) releaseStops() (found bool) {
	signal.Stop(n.stops) // returns when every signal so far is in the channel
	n.stops <- nil
	<-n.synced
	return n.handle()
}

// post has the loop call do, soon. Any goroutine may call it.
func (n *notices) post(do func()) {
	n.posts <- do
	n.wakeLoop()
}

// ask makes a request as a signal would. Any goroutine may call it.
func (n *notices) ask(request uint32) {
	n.asked.Or(request)
	n.wakeLoop()
}

func (n *notices) wakeLoop() {
	one := [8]byte{1}
	_, _ = unix.Write(n.wake, one[:]) // EAGAIN: it is readable already
}

// handle handles all notices so far, and reports whether there were any.
func (n *notices) handle() (found bool) {
	var count [8]byte
	_, _ = unix.Read(n.wake, count[:])
	if asked := n.asked.Swap(0); asked != 0 {
		n.onSignals(asked)
		found = true
	}
	for {
		select {
		case do := <-n.posts:
			do()
			found = true
		default:
			return found
		}
	}
}

// onSignals does what signals ask for.
func (r *room) onSignals(asked uint32) {
	if asked&askReap != 0 {
		r.reap()
	}
	if asked&askStop != 0 {
		r.beginShutdown()
	}
	if asked&askReload != 0 {
		r.reload()
	}
	if asked&askReplace != 0 {
		r.replace()
	}
}
