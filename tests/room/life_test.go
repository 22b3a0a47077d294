package room

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What a service manager hears of a room, in a socket of the file system or an abstract one.
func TestNotify(t *testing.T) {
	for _, abstract := range []bool{false, true} {
		t.Run(fmt.Sprintf("abstract=%v", abstract), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "n")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			name := filepath.Join(dir, "s")
			if abstract {
				name = fmt.Sprintf("@sendwrap-test-%d", os.Getpid())
			}
			manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			t.Setenv("NOTIFY_SOCKET", name)
			t.Setenv("WATCHDOG_USEC", "400000")
			told := func(want string) {
				t.Helper()
				manager.SetReadDeadline(time.Now().Add(5 * time.Second))
				b := make([]byte, 1024)
				for {
					n, err := manager.Read(b)
					if err != nil {
						t.Fatalf("the manager was never told %q: %v", want, err)
					}
					if strings.Contains(string(b[:n]), want) {
						return
					}
				}
			}
			s := serve(t, "greet_delay 60s stress=60s\nmax_sessions 10\nclient 127.2.2.2 greet_delay=0s\n")
			told("READY=1")
			s.gather(3)
			c, err := s.dial(addr("127.2.2.2"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			told("STATUS=3 waiting, 1 serving, 0 refused/s")
			told("WATCHDOG=1")
			s.signal(syscall.SIGHUP)
			told("RELOADING=1\nMONOTONIC_USEC=")
			told("READY=1")
			s.signal(syscall.SIGUSR2)
			told("READY=1")
			told("STATUS=3 waiting, 1 serving, 0 refused/s")

			// A loop that does not go on is not well: the manager is told nothing more.
			s.signal(syscall.SIGSTOP)
			time.Sleep(100 * time.Millisecond)
			manager.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
			for b := make([]byte, 1024); err == nil; _, err = manager.Read(b) {
			}
			manager.SetReadDeadline(time.Now().Add(700 * time.Millisecond))
			if n, err := manager.Read(make([]byte, 1024)); err == nil {
				t.Errorf("a stopped room says %d bytes", n)
			}
			s.signal(syscall.SIGCONT)
			told("WATCHDOG=1")
			s.signal(syscall.SIGTERM)
			told("STOPPING=1")
			s.ends()
		})
	}
}

// Rooms are killed again and again while clients wait, get their MTAs and are refused. No session dies of it, and the
// next room counts those that live, and none else: also those that were killed between the fork of an MTA and the
// ledger's knowing of it.
func TestKilled(t *testing.T) {
	s := serve(t, "greet_delay 300ms stress=300ms\nmax_sessions 1000\nclient_conns 0\nspawn_rate 1000\n")
	const rounds = 12
	var inSession []net.Conn
	for range rounds {
		var waiting []net.Conn
		for range 20 {
			c, err := s.dial(stranger())
			if err != nil {
				t.Fatal(err)
			}
			waiting = append(waiting, c)
		}
		time.Sleep(300*time.Millisecond + rand.N(20*time.Millisecond))
		s.signal(syscall.SIGKILL)
		<-s.done
		for _, c := range waiting {
			if got := hears(c, time.Second); strings.HasPrefix(got, "220 ") {
				inSession = append(inSession, c)
			} else if got != "" {
				t.Errorf("a client of a killed room hears %q", got)
			} else {
				c.Close()
			}
		}
		s.start()
	}
	living := s.mtas()
	t.Logf("%d clients are in session, %d MTAs live", len(inSession), living)
	if len(inSession) < 20 || len(inSession) > 20*rounds-5 {
		t.Errorf("%d clients are in session: the rooms were killed too late or too soon for this test to mean anything", len(inSession))
	}
	if living != len(inSession) {
		t.Errorf("%d MTAs live for %d clients", living, len(inSession))
	}
	eventually(t, "as many sessions count as live", func() bool { return s.status().Sessions.Serving == living })
	eventually(t, "nobody counts as waiting", func() bool { return s.status().Sessions.Waiting == 0 })
	for _, c := range inSession {
		c.Write([]byte("QUIT\r\n"))
		if got := hears(c, 5*time.Second); !strings.HasPrefix(got, "221 ") {
			t.Errorf("in a session that outlived its room the client hears %q", got)
		}
		c.Close()
	}
	eventually(t, "no session is left", func() bool { return s.status().Sessions.Serving == 0 })
}

// mtas counts the MTAs that live.
func (s *server) mtas() (n int) {
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		text, _ := os.ReadFile(name)
		if strings.HasPrefix(string(text), "mta\x00") {
			n++
		}
	}
	return n
}
