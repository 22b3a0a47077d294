package tests

import (
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// A holder is a client whose dialogue has come to `hold`: it stays connected until it is released.
type holder struct {
	release chan struct{}
	result  chan error
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
// Plays the dialogue in FILE from ADDRESS ($CLIENT) to port 25 of ADDRESS ($MX), to its end or to its step `hold`. A client that is
// held goes by the name of its FILE, or by NAME.
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
	scriptOf(ts).fresh(ts)
	t, err := dial(d, from, to)
	ts.Check(err)

	h := &holder{release: make(chan struct{}), result: make(chan error, 1)}
	held := make(chan struct{})
	t.hold = sync.OnceFunc(func() {
		close(held)
		<-h.release
	})
	go func() { h.result <- t.play() }()
	select {
	case err := <-h.result:
		ts.Check(err)
	case <-held:
		s := scriptOf(ts)
		if s.holders[name] != nil {
			ts.Fatalf("client %s is already held", name)
		}
		s.holders[name] = h
	}
}

// release NAME lets the client that is held go on, and waits until its dialogue is over.
func cmdRelease(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || scriptOf(ts).holders[args[0]] == nil {
		ts.Fatalf("usage: release NAME, after `client NAME` has come to its `hold`")
	}
	ts.Check(scriptOf(ts).release(args[0]))
}
