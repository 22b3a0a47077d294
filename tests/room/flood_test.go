package room

import (
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Twenty seconds of slammers, as fast as they can, and every patient client gets through; while the configuration is read
// anew, and another program takes the room's place, and at the end each slammer who heard a refusal is in the log and in the
// ledger, once.
func TestFlood(t *testing.T) {
	s := serve(t, "greet_delay 2s stress=2s\nmax_sessions 300\n")
	const (
		lasts    = 20 * time.Second
		slammers = 16
		every    = 100 * time.Millisecond
	)
	end := time.Now().Add(lasts)
	var refused, unheard, served, lost atomic.Int64
	var all sync.WaitGroup
	for range slammers {
		all.Go(func() {
			for time.Now().Before(end) {
				c, err := s.dial(stranger())
				if err != nil {
					unheard.Add(1)
					continue
				}
				c.Write([]byte("EHLO bot.example\r\n"))
				if got := hears(c, 10*time.Second); strings.HasPrefix(got, "554 5.5.1 ") {
					refused.Add(1)
				} else {
					unheard.Add(1)
					t.Logf("a slammer heard %q", got)
				}
				c.SetLinger(0) // tens of thousands: their ports must not stay in TIME_WAIT
				c.Close()
			}
		})
	}
	all.Go(func() {
		for time.Now().Before(end) {
			all.Go(func() {
				c, err := s.dial(stranger())
				if err != nil {
					lost.Add(1)
					t.Error(err)
					return
				}
				defer c.Close()
				began := time.Now()
				got := hears(c, 15*time.Second)
				if took := time.Since(began); !strings.HasPrefix(got, "220 ") || took < 1900*time.Millisecond || took > 4*time.Second {
					lost.Add(1)
					t.Errorf("after %v a patient client hears %q", took, got)
					return
				}
				served.Add(1)
			})
			time.Sleep(every)
		}
	})
	time.Sleep(lasts / 4)
	s.signal(syscall.SIGHUP)
	s.sees("read anew")
	time.Sleep(lasts / 4)
	s.signal(syscall.SIGUSR2)
	for range 500 { // some of them in the very moment in which there is no program that could take them
		s.signal(syscall.SIGHUP)
		time.Sleep(time.Millisecond)
	}
	s.sees("has taken over")
	all.Wait()

	t.Logf("%d slammers refused, %d unheard; %d patient clients served, %d lost", refused.Load(), unheard.Load(), served.Load(), lost.Load())
	if refused.Load() < 10_000 || unheard.Load() > 0 {
		t.Errorf("%d slammers heard their refusal, %d did not", refused.Load(), unheard.Load())
	}
	if want := int64(lasts / every * 9 / 10); served.Load() < want {
		t.Errorf("only %d patient clients came through; want %d", served.Load(), want)
	}
	st := s.status()
	if n := int64(st.Verdicts["PREGREET"]); n != refused.Load() {
		t.Errorf("the ledger counts %d PREGREET; %d slammers were refused", n, refused.Load())
	}
	if n := int64(s.logged("PREGREET client=")); n != refused.Load() {
		t.Errorf("the log has %d PREGREET; %d slammers were refused", n, refused.Load())
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

// In the midst of a flood the room is told to stop, and does.
func TestFloodEnds(t *testing.T) {
	s := serve(t, "greet_delay 30s stress=30s\n")
	patient := s.gather(100)
	end := make(chan bool)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				if c, err := s.dial(stranger()); err == nil {
					c.Write([]byte("EHLO bot.example\r\n"))
					hears(c, time.Second)
					c.SetLinger(0)
					c.Close()
				}
			}
		})
	}
	time.Sleep(2 * time.Second)
	began := time.Now()
	s.signal(syscall.SIGTERM)
	for _, c := range patient {
		if got := hears(c, 5*time.Second); !strings.HasPrefix(got, "421 4.3.2 ") {
			t.Errorf("one who waits hears %q", got)
		}
	}
	s.ends()
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	close(end)
	all.Wait()
}
