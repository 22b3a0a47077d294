package guard

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"sendwrap/wrapper/milter"
)

// admit takes a place for a session, if there is one.
func (g *guard) admit() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.places == 0 {
		return false
	}
	g.places--
	return true
}

// startSession starts a session on the connection of an MTA.
func (g *guard) startSession(c net.Conn) {
	s := &session{guard: g, wire: milter.NewConn(c, g.packetTime), mta: processOf(c),
		began: time.Now(), exempt: true, socket: -1}
	go s.await()
}

// register makes the session one of allSessions.
func (g *guard) register(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions[s] = struct{}{}
}

func (g *guard) allSessions() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*session, 0, len(g.sessions))
	for s := range g.sessions {
		all = append(all, s)
	}
	return all
}

// closeSession ends a session and gives its place back. An error is about the packets of the MTA;
// io.EOF is none after the negotiation.
func (g *guard) closeSession(s *session, err error) {
	_ = s.wire.Close()
	if err != io.EOF || !s.negotiated {
		why := err.Error()
		switch err {
		case io.EOF:
			why = "closed the connection without a request; was it a monitor?"
		case io.ErrUnexpectedEOF:
			why = "closed the connection in the middle of a packet"
		}
		g.remarks.note(fmt.Sprintf("guard: process %d at %v: %s", s.mta, s.wire.LocalAddr(), why))
	}
	s.closed.Store(true)
	defer func() {
		if p := recover(); p != nil { // it must not end the other sessions
			g.remarks.note(panicked(p).Error())
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.sessions, s)
		g.places++
	}()
	s.countPassed()
	s.decideDeferred()
	s.transcript.sessionOver()
}

// panicked is the error for a panic of our own, with the place where it happened.
func panicked(p any) error {
	var pcs [8]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for frame, more := frames.Next(); more; frame, more = frames.Next() {
		if !strings.HasPrefix(frame.Function, "runtime.") {
			return fmt.Errorf("guard: panic in %s, line %d: %v; please report it",
				frame.Function, frame.Line, p)
		}
	}
	return fmt.Errorf("guard: panic: %v; please report it", p)
}
