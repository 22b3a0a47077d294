package room

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"sendwrap/tests/lab"
)

// modes are the ways in which sendwrap is started.
var modes = []struct {
	name  string
	serve func(*testing.T, string) *server
}{
	{"a process each", serveEach},
	{"the room", serve},
}

// slam makes n clients at a time speak early, from one address after the other, until the end. The
// function that ends it returns how many did.
func (s *server) slam(atOnce int, from func() netip.Addr) (end func() int) {
	var n atomic.Int64
	var over atomic.Bool
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for !over.Load() {
				if got := s.talkEarlyFrom(from()); len(got) < 4 ||
					!strings.Contains("421 554 ", got[:4]) {
					s.t.Errorf("an early talker gets %.100q", got)
				}
				n.Add(1)
			}
		})
	}
	end = func() int {
		over.Store(true)
		all.Wait()
		return int(n.Load())
	}
	s.t.Cleanup(func() { end() }) // before the server ends, if the test fails
	return end
}

// visit makes a client come n times, one connection after the other, and counts the codes of the
// first replies that it gets.
func (s *server) visit(from netip.Addr, times int) map[string]int {
	got := map[string]int{}
	for range times {
		c, err := lab.Dial(from, s.addr)
		if err != nil {
			s.t.Fatal(err)
		}
		code := fmt.Sprintf("%.4s", reply(c))
		if got[code]++; code == "220 " {
			quit(s.t, c)
		}
		_ = c.Abort()
	}
	return got
}

// together makes n connections of a client come at once, and counts how many are greeted before any
// of them ends.
func (s *server) together(from netip.Addr, n int) (greeted int) {
	replies := make(chan string, n)
	var all []*lab.Client
	for range n {
		c, err := lab.Dial(from, s.addr)
		if err != nil {
			s.t.Fatal(err)
		}
		defer c.Abort()
		all = append(all, c)
	}
	for _, c := range all {
		go func() { replies <- reply(c) }()
	}
	for range n {
		switch got := <-replies; {
		case strings.HasPrefix(got, "220 "):
			greeted++
		case !strings.HasPrefix(got, "421 4.7.0 "):
			s.t.Errorf("one of many gets %.100q", got)
		}
	}
	return greeted
}

// Whatever attackers do, a known client is greeted each time, and exactly as many sessions of a
// network begin as its limit allows.
func TestAttack(t *testing.T) {
	const visits, conns, many = 10, 5, 20
	known, blocked := addr("127.1.1.1"), addr("127.2.2.2")
	for _, attack := range []struct {
		name   string
		atOnce int
		from   func() netip.Addr
		status bool // is read all the time
	}{
		{"one that is blocked", 100, func() netip.Addr { return blocked }, false},
		{"many networks", 100, stranger, false},
		{"one that is blocked, and status", 50, func() netip.Addr { return blocked }, true},
	} {
		for _, mode := range modes {
			t.Run(attack.name+", "+mode.name, func(t *testing.T) {
				s := mode.serve(t, fmt.Sprintf("greet_delay 20s stress=20s\n"+
					"block strikes=8 within=1s\n"+
					"client 127.1.1.1 greet_delay=50ms client_conns=%d\n", conns))
				s.checkGreeted(known)
				if out, err := s.run("block", blocked.String(), "1h"); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				before := s.status()
				slammed, read := s.slam(attack.atOnce, attack.from), func() {}
				if attack.status {
					read = s.readAll(2)
				}
				if got := s.visit(known, visits); got["220 "] != visits {
					t.Errorf("a known client gets %v", got)
				}
				lab.Eventually(t, "its sessions have ended",
					func() bool { return s.status().Sessions.Serving == 0 })
				if n := s.together(known, many); n != conns {
					t.Errorf("%d sessions of one network begin; want %d", n, conns)
				}
				read()
				early := slammed()
				after := s.status()
				counted := after.Verdicts["BLOCKED"] + after.Verdicts["PREGREET"] -
					before.Verdicts["PREGREET"]
				if counted != early || after.Verdicts["BUSY"] > 0 ||
					after.Verdicts["CONNS"] != many-conns {
					t.Errorf("of %d early talkers %d are counted, of others %v", early, counted,
						after.Verdicts)
				}
				if after.Open != before.Open {
					t.Errorf("without limits: %+v", after.Open)
				}
			})
		}
	}
}

// Thousands of networks get blocks, far more than may run. While the oldest of them end again and
// again, the room refuses no client because it cannot have the ledger, and counts each refusal.
func TestAttackTrim(t *testing.T) {
	const visits, most, networks = 20, 500, 5_000
	known := addr("127.1.1.1")
	s := serve(t, fmt.Sprintf("greet_delay 20s stress=20s\nclient 127.1.1.1 greet_delay=50ms\n"+
		"block strikes=1 for=1h max=1h max_entries=%d\n", most))
	s.checkGreeted(known)
	var talked atomic.Int64
	slammed := s.slam(50, func() netip.Addr { talked.Add(1); return stranger() })
	got := s.visit(known, visits)
	lab.Eventually(t, "many networks have come", func() bool { return talked.Load() > networks })
	early := slammed()
	if got["220 "] != visits {
		t.Errorf("a known client gets %v", got)
	}
	st := s.status()
	if busy := s.logged("BUSY client="); st.Verdicts["PREGREET"] != early || busy > 0 {
		t.Errorf("of %d early talkers and %d BUSY status counts %v", early, busy, st.Verdicts)
	}
	lab.Eventually(t, "no more blocks run than may", func() bool {
		s.talkEarly() // somebody has to begin a block for the oldest to end
		out, err := s.run("blocks")
		return err == nil && strings.Count(out, "\n")-1 <= most+1
	})
}
