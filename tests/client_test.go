package tests

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
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

// reply takes the reply code and the enhanced status code off a reply.
var reply = regexp.MustCompile(`^(\d{3})[ -](?:(\d\.\d+\.\d+) )?`)

// clients N FILE [from ADDRESS|NETWORK] [to ADDRESS]
//
// Plays the dialogue N times at once; from a NETWORK each client has its own address. At `hold` each waits for all others. Prints a
// tally of the first line that each saw: `5 220`, `195 421 4.7.0`.
func cmdClients(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: clients N FILE [from ADDRESS|NETWORK] [to ADDRESS]")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	d, err := parseDialogue(args[1], ts.ReadFile(args[1]))
	ts.Check(err)
	from, to, _ := ends(ts, args[2:])
	addrs, err := addresses(from, n)
	ts.Check(err)

	var start, there, done sync.WaitGroup
	start.Add(1)
	there.Add(n)
	talks, errs := make([]*talk, n), make([]error, n)
	for i := range n {
		done.Go(func() {
			arrive := sync.OnceFunc(there.Done)
			defer arrive()
			start.Wait()
			if talks[i], errs[i] = dial(d, addrs[i], to); errs[i] != nil {
				return
			}
			talks[i].hold = func() {
				arrive()
				there.Wait()
			}
			errs[i] = talks[i].play()
		})
	}
	start.Done()
	done.Wait()

	tally := map[string]int{}
	for i, t := range talks {
		if errs[i] != nil {
			ts.Fatalf("client %d of %d: %v", i+1, n, errs[i])
		}
		kind := t.first
		if m := reply.FindStringSubmatch(t.first); m != nil {
			kind = m[1]
			if m[2] != "" {
				kind += " " + m[2]
			}
		}
		tally[kind]++
	}
	kinds := make([]string, 0, len(tally))
	for kind := range tally {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(ts.Stdout(), "%d %s\n", tally[kind], kind)
	}
}

// addresses returns n addresses: the same one, or the first n of a network.
func addresses(from string, n int) ([]string, error) {
	var next func(netip.Addr) netip.Addr
	addr, err := netip.ParseAddr(from)
	if err == nil {
		next = func(a netip.Addr) netip.Addr { return a }
	} else {
		prefix, err := netip.ParsePrefix(from)
		if err != nil {
			return nil, err
		}
		addr, next = prefix.Addr().Next(), netip.Addr.Next
	}
	list := make([]string, n)
	for i := range list {
		list[i] = addr.String()
		addr = next(addr)
	}
	return list, nil
}
