package room

import (
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Thousands slam, as fast as they can, and every patient client gets through, while the
// configuration is read again and another program takes the room's place. At the end each refusal
// that was heard is in the log and in the ledger, once.
func TestFlood(t *testing.T) {
	const (
		least   = 10_000 // slammers; more come as long as the room has to heed signals
		patient = 100    // one for each hundred slammers
		delay   = 2 * time.Second
	)
	s := serve(t, "greet_delay 2s stress=2s\nmax_sessions 300\n")
	var slammed, served atomic.Int64
	var heeded atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer heeded.Store(true)
	for range 16 {
		all.Go(func() {
			for n := slammed.Add(1); n <= least || !heeded.Load(); n = slammed.Add(1) {
				if n%(least/patient) == 0 && n <= least {
					all.Go(func() {
						began := time.Now()
						c, err := lab.Dial(stranger(), s.addr)
						if err != nil {
							t.Error(err)
							return
						}
						defer c.Abort()
						got := reply(c)
						if took := time.Since(began); !strings.HasPrefix(got, "220 ") || took < delay {
							t.Errorf("after %v a patient client hears %.40q", took, got)
						}
						served.Add(1)
					})
				}
				if got := s.talkEarly(); !strings.HasPrefix(got, "554 5.5.1 ") {
					t.Errorf("slammer %d hears %q", n, got)
				}
			}
			slammed.Add(-1)
		})
	}
	lab.Eventually(t, "many slam", func() bool { return slammed.Load() > least/4 })
	s.signal(unix.SIGHUP)
	s.waitLogged("read anew", 1)
	lab.Eventually(t, "more slam", func() bool { return slammed.Load() > least/2 })
	all.Go(func() {
		for !heeded.Load() { // some of them come when there is no program that could take them
			_ = s.Process.Signal(unix.SIGHUP)
			time.Sleep(rand.N(10 * time.Millisecond))
		}
	})
	for range 3 {
		s.takeOver()
	}
	heeded.Store(true)
	all.Wait()

	t.Logf("%d slammers, %d patient clients", slammed.Load(), served.Load())
	if n := served.Load(); n != patient {
		t.Errorf("%d patient clients came through; want %d", n, patient)
	}
	s.waitLogged("PREGREET client=", int(slammed.Load()))
	if n := s.status().Verdicts["PREGREET"]; n != int(slammed.Load()) {
		t.Errorf("the ledger counts %d PREGREET; %d slammers were refused", n, slammed.Load())
	}
	s.signal(unix.SIGTERM)
	s.waitEnd()
}

// In the midst of a flood the room closes when it is to, and those that wait for minutes hear it.
func TestFloodEnds(t *testing.T) {
	s := serve(t, "greet_delay 290s stress=290s\n")
	patient := s.connectMany(100)
	var slammed atomic.Int64
	var ended atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	defer ended.Store(true)
	for range 8 {
		all.Go(func() {
			for !ended.Load() {
				s.talkEarly() // once the room has closed it may hear anything
				slammed.Add(1)
			}
		})
	}
	lab.Eventually(t, "many slam", func() bool { return slammed.Load() > 1000 })
	s.signal(unix.SIGTERM)
	for _, c := range patient {
		if got := reply(c); !strings.HasPrefix(got, "421 4.3.2 ") {
			t.Errorf("one that waits hears %q", got)
		}
	}
	s.waitEnd()
}
