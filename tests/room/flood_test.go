package room

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Thousands of early talkers connect as fast as they can, and every patient client is greeted,
// while the configuration is read again and a new program takes over, three times. In the end each
// refusal that a client got is in the log and in the ledger, once.
func TestFlood(t *testing.T) {
	const (
		least   = 10_000 // early talkers; there are more until the room has handled all signals
		patient = 100    // one for every hundred early talkers
		delay   = 2 * time.Second
	)
	// An early talker speaks when it can, which may be seconds later.
	s := serve(t, "greet_delay 290s stress=290s\nclient 127.3.0.0/16 greet_delay=2s\n"+
		"max_sessions 300\nmax_idle 0\n")
	var talked, served atomic.Int64
	var handled atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer handled.Store(true)
	for range 16 {
		all.Go(func() {
			for n := talked.Add(1); n <= least || !handled.Load(); n = talked.Add(1) {
				if n%(least/patient) == 0 && n <= least {
					from := netip.AddrFrom4([4]byte{127, 3, 0, byte(n / (least / patient))})
					all.Go(func() {
						began := time.Now()
						c, err := lab.Dial(from, s.addr)
						if err != nil {
							t.Error(err)
							return
						}
						defer c.Abort()
						got := reply(c)
						if took := time.Since(began); !strings.HasPrefix(got, "220 ") ||
							took < delay {
							t.Errorf("after %v a patient client gets %.40q", took, got)
						}
						served.Add(1)
					})
				}
				if got := s.talkEarly(); !strings.HasPrefix(got, "554 5.5.1 ") {
					t.Errorf("early talker %d gets %q", n, got)
				}
			}
			talked.Add(-1)
		})
	}
	lab.Eventually(t, "many have talked early", func() bool { return talked.Load() > least/4 })
	s.signal(unix.SIGHUP)
	s.waitLogged("configuration reloaded", 1)
	lab.Eventually(t, "more have talked early", func() bool { return talked.Load() > least/2 })
	all.Go(func() {
		for !handled.Load() { // some arrive while no program could handle them
			_ = s.Process.Signal(unix.SIGHUP)
			time.Sleep(rand.N(10 * time.Millisecond))
		}
	})
	for range 3 {
		s.takeOver()
	}
	handled.Store(true)
	all.Wait()

	t.Logf("%d early talkers, %d patient clients", talked.Load(), served.Load())
	if n := served.Load(); n != patient {
		t.Errorf("%d patient clients were greeted; want %d", n, patient)
	}
	s.waitLogged("PREGREET client=", int(talked.Load()))
	if n := s.status().Verdicts["PREGREET"]; n != int(talked.Load()) {
		t.Errorf("the ledger counts %d PREGREET; %d clients were refused", n, talked.Load())
	}
	s.signal(unix.SIGTERM)
	s.waitEnd()
}

// The room closes during a flood, and each client that waits gets a 421.
func TestFloodEnds(t *testing.T) {
	s := serve(t, "greet_delay 290s stress=290s\n")
	patient := s.connectMany(100)
	var talked atomic.Int64
	var ended atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer ended.Store(true)
	for range 8 {
		all.Go(func() {
			for !ended.Load() {
				s.talkEarly() // after the room has closed any reply will do
				talked.Add(1)
			}
		})
	}
	lab.Eventually(t, "many have talked early", func() bool { return talked.Load() > 1000 })
	s.signal(unix.SIGTERM)
	for _, c := range patient {
		if got := reply(c); !strings.HasPrefix(got, "421 4.3.2 ") {
			t.Errorf("a waiting client gets %q", got)
		}
	}
	s.waitEnd()
}
