package room

import (
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"sendwrap/tests/lab"
)

// run runs a command of sendwrap on the server's configuration.
func (s *server) run(command string, args ...string) (string, error) {
	out, err := exec.Command(s.program,
		append([]string{command, "-f", s.file("conf")}, args...)...).CombinedOutput()
	return string(out), err
}

// readAll reads the whole ledger in n loops, as monitors do, until the end.
func (s *server) readAll(others int) (end func()) {
	stop, reading := make(chan bool), sync.WaitGroup{}
	for n := range others {
		command := [][]string{{"status", "-json"}, {"blocks"}, {"check", "192.0.2.1"}}[n%3]
		reading.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if out, err := s.run(command[0], command[1:]...); err != nil {
					s.t.Errorf("%v: %v: %s", command, err, out)
					return
				}
			}
		})
	}
	return func() {
		close(stop)
		reading.Wait()
	}
}

// However large the ledger is and however many processes read all of it, no client is refused
// because of that, and no block is lost: neither one of early talkers, nor one of an administrator.
func TestReaders(t *testing.T) {
	const visits, clients, attackers, byHand = 40, 100, 100, 30
	for _, size := range []int{65536, 1 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			known := addr("127.1.1.1")
			s := serveWith(t, "greet_delay 20s stress=20s\nclient 127.1.1.1 greet_delay=50ms\n"+
				"block strikes=1 for=1h max=1h\n", size)
			s.checkGreeted(known)
			end := s.readAll(16)
			var all sync.WaitGroup
			all.Go(func() {
				for range visits {
					s.checkGreeted(known)
				}
			})
			all.Go(func() {
				for _, c := range s.connectMany(clients) {
					if got := reply(c); !strings.HasPrefix(got, "220 ") {
						t.Errorf("a patient client gets %q", got)
					}
					_ = c.Abort()
				}
			})
			all.Go(func() {
				for range attackers {
					if got := s.talkEarly(); !strings.HasPrefix(got, "554 ") {
						t.Errorf("an early talker gets %.100q", got)
					}
				}
			})
			for n := range byHand {
				all.Go(func() {
					if out, err := s.run("block", fmt.Sprintf("203.0.113.%d", n),
						"1h"); err != nil {
						t.Errorf("block: %v: %s", err, out)
					}
				})
			}
			all.Wait()
			end()
			blocks := 0
			lab.Eventually(t, "all blocks run", func() bool {
				out, err := s.run("blocks")
				blocks = strings.Count(out, "\n") - 1 // and the heading
				return err == nil && blocks == attackers+byHand
			})
			if n := s.logged("BUSY client="); n > 0 {
				t.Errorf("%d clients were refused", n)
			}
		})
	}
}
