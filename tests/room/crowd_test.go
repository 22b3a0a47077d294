package room

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const crowd = 10_000

// Ten thousand wait, and one who is known is served at once all the same, also when another program takes the room's place in
// the midst of it, and when the configuration is read anew; in the end everybody who waits is told to come back.
func TestCrowd(t *testing.T) {
	enough(t, crowd+200)
	known := netip.MustParseAddr("127.1.1.1")
	const conf = "greet_delay 120s stress=120s\nclient 127.1.1.1 greet_delay=50ms\nmax_sessions 200\n"
	s := serve(t, conf)
	if got := s.greeting(known); !strings.HasPrefix(got, "220 ") {
		t.Fatalf("the first time: %q", got)
	}
	waiting := s.gather(crowd)
	eventually(t, "all of them count as waiting", func() bool { return s.status().Sessions.Waiting == crowd })
	s.atOnce(known)

	before := s.cpu()
	time.Sleep(2 * time.Second)
	if used := s.cpu() - before; used > 100*time.Millisecond {
		t.Errorf("with %d who only wait, the room used %v of 2 s", crowd, used)
	}

	s.signal(syscall.SIGHUP)
	s.sees("read anew")
	s.atOnce(known)
	s.signal(syscall.SIGUSR2)
	s.sees("has taken over 10000 clients")
	s.atOnce(known)
	if n := s.status().Sessions.Waiting; n != crowd {
		t.Errorf("%d wait with the new program; want %d", n, crowd)
	}

	s.signal(syscall.SIGTERM)
	var wrong int
	for _, c := range waiting {
		if got := hears(c, 10*time.Second); !strings.HasPrefix(got, "421 4.3.2 ") {
			if wrong++; wrong < 5 {
				t.Errorf("when the room closes, one who waits hears %q", got)
			}
		}
		c.Close()
	}
	s.ends()
	if n := s.logged("BUSY client="); n != crowd {
		t.Errorf("%d lines of BUSY; want %d", n, crowd)
	}
	if st := s.status(); st.Sessions.Waiting != 0 || st.Sessions.Serving != 0 || st.Verdicts["BUSY"] != crowd {
		t.Errorf("afterwards: %+v", st)
	}
}

// gather lets n strangers connect, who then wait.
func (s *server) gather(n int) []net.Conn {
	s.t.Helper()
	all := make([]net.Conn, n)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				c, err := s.dial(stranger())
				if err != nil {
					s.t.Errorf("client %d of %d: %v", i, n, err)
					return
				}
				all[i] = c
			}
		})
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
	s.t.Cleanup(func() {
		for _, c := range all {
			c.Close()
		}
	})
	return all
}

// greeting is what a client from there is greeted with; it leaves politely.
func (s *server) greeting(from netip.Addr) string {
	s.t.Helper()
	c, err := s.dial(from)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	got := hears(c, 10*time.Second)
	c.Write([]byte("QUIT\r\n"))
	hears(c, 10*time.Second)
	return got
}

// atOnce holds the median of the time to a known client's greeting to 50 ms.
func (s *server) atOnce(known netip.Addr) {
	s.t.Helper()
	var took []time.Duration
	for range 31 {
		began := time.Now()
		got := s.greeting(known)
		took = append(took, time.Since(began))
		if !strings.HasPrefix(got, "220 ") {
			s.t.Fatalf("a known client is greeted with %q", got)
		}
	}
	slices.Sort(took)
	s.t.Logf("greeting of a known client: median %v, worst %v", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 50*time.Millisecond {
		s.t.Errorf("a known client waits %v for its greeting (median)", took[len(took)/2])
	}
}
