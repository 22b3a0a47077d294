package tests

import (
	"fmt"

	"github.com/rogpeppe/go-internal/testscript"
)

// A holder is a client, or many, whose dialogue has come to `hold`: it stays connected until it is
// released.
type holder struct {
	held    chan struct{}
	release chan struct{}
	result  chan error
	crowd   []*talk // if there are many; they are released once and for all
}

// hold is the step of a single client.
func (h *holder) hold() {
	h.held <- struct{}{}
	<-h.release
}

// await waits until a client is held, under its name, or until its dialogue is over. It returns the
// result.
func (s *script) await(name string, h *holder) error {
	select {
	case err := <-h.result:
		return err
	case <-h.held:
		s.holders[name] = h
		return nil
	}
}

// release lets a held client go on.
func (s *script) release(name string) error {
	h := s.holders[name]
	delete(s.holders, name)
	if h.crowd != nil {
		close(h.release)
	} else {
		h.release <- struct{}{}
	}
	return s.await(name, h)
}

// ends parses `[from ADDRESS] [to ADDRESS] [as NAME]`.
func ends(ts *testscript.TestScript, args []string) (from, to, as string) {
	from, to = ts.Getenv("CLIENT"), ts.Getenv("MX")
	for ; len(args) >= 2; args = args[2:] {
		switch args[0] {
		case "from":
			from = args[1]
		case "to":
			to = args[1]
		case "as":
			as = args[1]
		default:
			ts.Fatalf("unknown word %q; want from, to or as", args[0])
		}
	}
	if len(args) > 0 {
		ts.Fatalf("%q says nothing more", args[0])
	}
	return from, to, as
}

// client FILE [from ADDRESS] [to ADDRESS] [as NAME]
//
// Plays the dialogue in FILE from ADDRESS ($CLIENT) to port 25 of ADDRESS ($MX), to its end or to
// its step `hold`. A client that is held goes by the name of its FILE, or by NAME.
func cmdClient(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: client FILE [from ADDRESS] [to ADDRESS] [as NAME]")
	}
	from, to, name := ends(ts, args[1:])
	if name == "" {
		name = args[0]
	}
	d, err := parseDialogue(args[0], ts.ReadFile(args[0]))
	ts.Check(err)
	s := scriptOf(ts)
	if s.holders[name] != nil {
		ts.Fatalf("client %s is already held", name)
	}
	s.fresh(ts)
	t, err := dial(d, from, to)
	ts.Check(err)

	h := &holder{
		held: make(chan struct{}), release: make(chan struct{}), result: make(chan error, 1),
	}
	t.hold = h.hold
	go func() { h.result <- t.play() }()
	ts.Check(s.await(name, h))
}

// release NAME
//
// Lets the client that is held go on, to its next `hold` or to its end. Of `clients` it prints what
// they saw first.
func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	s := scriptOf(ts)
	if neg || len(args) != 1 || s.holders[args[0]] == nil {
		ts.Fatalf("usage: release NAME, after `client NAME` has come to its `hold`")
	}
	crowd := s.holders[args[0]].crowd
	err := s.release(args[0])
	for _, line := range tally(crowd) {
		fmt.Fprintln(ts.Stdout(), line)
	}
	ts.Check(err)
}
