package room

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
)

// Successor is the program that takes the place of another.
type Successor struct {
	options Options
	state   handover
	stops   chan os.Signal
}

// TakeOver returns the successor of a room that another program has left to us; ok is false if
// there is none. An error means that there is one that cannot be understood; its clients are lost
// when this process ends.
func TakeOver(o Options) (s *Successor, ok bool, err error) {
	value := os.Getenv(handoverEnv)
	if value == "" {
		return nil, false, nil
	}
	// Before anything else: a SIGTERM during the takeover must not lose the clients.
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, unix.SIGTERM, unix.SIGINT)
	os.Unsetenv(handoverEnv)
	fd, err := strconv.Atoi(value)
	if err != nil {
		return nil, false, nil
	}
	// The seals guard against mistakes, not attacks: a program that can set our environment could
	// have started anything in our place.
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_WRITE == 0 {
		return nil, false, nil
	}
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	if _, err := f.Seek(0, 0); err != nil {
		return nil, true, err
	}
	s = &Successor{options: o, stops: stops}
	if err := json.NewDecoder(f).Decode(&s.state); err != nil {
		return nil, true, fmt.Errorf("handover: %w", err)
	}
	if s.state.Version != wrapper.HandoverVersion {
		return nil, true, fmt.Errorf("handover of version %d; this program takes over version %d",
			s.state.Version, wrapper.HandoverVersion)
	}
	s.options.File, s.options.Sockets, s.options.Idle = s.state.File, s.state.Sockets, s.state.Idle
	s.options.Stdio.StderrIsClient = s.state.StderrIsClient
	return s, true, nil
}

// Run serves the clients of the program before, and then goes on as [Run] does.
func (s *Successor) Run() error {
	r, err := newRoom(s.options)
	if err != nil {
		return err
	}
	for i, l := range r.listeners {
		l.blocking = i < len(s.state.Blocking) && s.state.Blocking[i]
	}
	if s.state.Parent != 0 {
		r.parent = s.state.Parent
	}
	r.restore(&s.state)
	r.infof("a new program has taken over %d clients and %d sessions",
		len(s.state.Clients), len(s.state.MTAs))
	r.begin()
	r.resyncLedger()
	signal.Stop(s.stops)
	if len(s.stops) > 0 {
		r.beginShutdown()
	}
	return r.loop()
}

// restore puts each client back into its queue.
func (r *room) restore(all *handover) {
	for _, h := range all.MTAs {
		c := &client{
			session: r.door.Restore(-1, h.Session), started: h.Started, transferred: h.Transferred,
		}
		r.mtas.running[h.PID] = c
		r.countMTA(c)
	}
	for _, h := range all.Clients {
		c := &client{
			session: r.door.Restore(h.FD, h.Session), arrived: h.Arrived, passed: h.Passed,
		}
		r.hold(c)
		switch {
		case r.unconfigured != nil:
			c.session.Fail(r.unconfigured)
			r.refuse(c)
		case h.Admitted:
			r.admitted.push(c)
			r.countMTA(c)
		case h.Passed > 0:
			r.queueUp(c)
			r.watch(c)
		case h.Session.Verdict == decide.Busy: // a search for a place was under way
			r.decideArrival(c)
		default:
			c.session.AskAgain()
			c.due = c.arrived + c.session.Delay()
			r.delay(c.session.Delay()).push(c)
			r.watch(c)
			c.session.Rest()
		}
	}
	r.scanForRules() // the rules may be others than before
}
