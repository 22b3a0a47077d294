package guard

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// The guard is killed during sessions: they go on, new ones begin, and the next guard watches the
// sessions that begin after it.
func TestGuardKilled(t *testing.T) {
	everySite(t, options{}, kinds, func(t *testing.T, s *site) {
		sessions := map[way]*client{}
		for _, w := range ways {
			c := s.session(t, w, w.stranger())
			c.expect("250", mailFrom)
			c.expect("250", rcpt("good001"))
			c.expect("550 5.1.1", rcpt("bad000"))
			sessions[w] = c
		}
		s.guard.KillAll()
		for _, w := range ways {
			s.continueUnguarded(t, sessions[w], 2)
			from := w.stranger()
			c := s.session(t, w, from)
			c.expect("250", mailFrom)
			s.continueUnguarded(t, c, 1)
			unlogged(t, trouble, from)
		}
		lost := regexp.MustCompile(`Milter.*` + regexp.QuoteMeta(s.socket()))
		if len(maillog.Wait(lost, 1)) == 0 {
			t.Error("the MTA has not logged that the guard is gone")
		}
		s.startGuard() // although the old socket is still there
		for _, w := range ways {
			// the MTA may ask the guard again, or not
			s.waitDelivered(t, sessions[w].sendMessage("good003"))
			c := s.session(t, w, w.stranger())
			pid := mtaOf(t, c)
			c.expect("250", mailFrom)
			checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
			c.waitClosed()
			checkEnded(t, s, c, pid, "3/3")
		}
	})
}

// continueUnguarded is the rest of a transaction without the guard, in which this many recipients
// are accepted in all.
func (s *site) continueUnguarded(t *testing.T, c *client, recipients int) {
	t.Helper()
	for _, name := range names("bad", 5) {
		c.expect("550 5.1.1", rcpt(name))
	}
	c.expect("250", rcpt("good002"))
	s.waitDelivered(t, c.sendData(recipients))
}

// A guard that does not answer holds up mail for the MTA's timeout, no longer: mail goes through
// while the guard is still stopped.
func TestGuardStopped(t *testing.T) {
	const patient = 30 * time.Second // far longer than a running guard takes
	everySite(t, options{patient: patient}, kinds, func(t *testing.T, s *site) {
		midst := s.session(t, way{}, way{}.stranger())
		midst.expect("250", mailFrom)
		s.signal(syscall.SIGSTOP)
		began := time.Now()
		s.continueUnguarded(t, midst, 1)
		if took := time.Since(began); took < patient/2 {
			t.Errorf("a session of before took %v for a message; the MTA waits %v", took, patient)
		}
		c := s.session(t, way{v6: true, tls: true}, way{v6: true}.stranger())
		s.waitDelivered(t, c.sendMessage("good001"))
		s.signal(syscall.SIGCONT)
		for _, w := range ways {
			c := s.session(t, w, w.stranger())
			c.expect("250", mailFrom)
			checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
			c.waitClosed()
			logged(t, "BADRCPTS", c.Addr)
		}
	})
}

// Without a ledger the guard counts each session by itself.
func TestLedgerUnusable(t *testing.T) {
	everySite(t, options{conf: "bad_rcpts_total 4/1h", before: spoilLedger}, kinds,
		func(t *testing.T, s *site) {
			t.Run("sessions", func(t *testing.T) {
				eachWay(t, s, func(t *testing.T, s *site, w way) {
					from := w.stranger()
					for range 3 {
						c := s.session(t, w, from)
						pid := mtaOf(t, c)
						s.waitDelivered(t, c.sendMessage("good001"))
						c.expect("250", mailFrom)
						checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
						c.waitClosed()
						if l := logged(t, "BADRCPTS", c.Addr); l.fields["bad"] != "3/3" ||
							l.fields["left"] != "" || l.pid != pid {
							t.Errorf("want bad=3/3, no left=, pid %d: %s", pid, l.text)
						}
					}
				})
			})
			// The guard tries the ledger once a minute.
			if lines := s.guardLog("ledger"); len(lines) > 1+int(time.Since(s.began)/time.Minute) {
				t.Errorf("%d lines about the ledger after %v: %q", len(lines), time.Since(s.began),
					lines)
			}
		})
}

// spoilLedger makes a directory in the ledger's place.
func spoilLedger(s *site) {
	if err := os.Mkdir(s.file("state/ledger"), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// If the ledger is moved away, the running guard makes a new one and uses it.
func TestLedgerReplaced(t *testing.T) {
	everySite(t, options{}, []kind{daemon}, func(t *testing.T, s *site) {
		s.waitDelivered(t, s.session(t, way{}, way{}.stranger()).sendMessage("good001"))
		if err := os.Rename(s.file("state/ledger"), s.file("state/old")); err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "the guard makes another ledger", func() bool {
			_, err := os.Stat(s.file("state/ledger"))
			return err == nil
		})
		c := s.session(t, way{}, way{}.stranger())
		pid := mtaOf(t, c)
		c.expect("250", mailFrom)
		checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
		c.waitClosed()
		checkEnded(t, s, c, pid, "3/3")
	})
}

// SIGHUP: a new configuration holds for sessions that begin from then on; one with a mistake
// changes nothing.
func TestReload(t *testing.T) {
	everySite(t, options{}, kinds, func(t *testing.T, s *site) {
		w := way{}
		before := s.session(t, w, w.stranger())
		before.expect("250", mailFrom)
		s.configure("bad_rcpts 5")
		s.signal(syscall.SIGHUP)
		s.guardLog("configuration reloaded")
		checkAnswers(t, before.tryNames(names("bad", 20)...), 2, 3)
		s.configure("bad_rcpts many")
		s.signal(syscall.SIGHUP)
		s.guardLog("sendwrap.conf:[0-9]+: ")
		after := s.session(t, w, w.stranger())
		after.expect("250", mailFrom)
		checkAnswers(t, after.tryNames(names("bad", 20)...), 4, 5)
		after.waitClosed()
	})
}

// SIGTERM: the guard ends and removes its socket, and sessions go on without it.
func TestGuardEnds(t *testing.T) {
	everySite(t, options{}, kinds, func(t *testing.T, s *site) {
		c := s.session(t, way{}, way{}.stranger())
		c.expect("250", mailFrom)
		s.signal(syscall.SIGTERM)
		if !s.guard.Ends() {
			t.Fatal("the guard does not end")
		}
		if code := s.guard.ProcessState.ExitCode(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if text, _ := os.ReadFile(s.file("guard.out")); strings.TrimSpace(string(text)) != "" {
			t.Errorf("it has printed %q", text)
		}
		if _, err := os.Lstat(s.socket()); err == nil {
			t.Error("its socket is still there")
		}
		s.continueUnguarded(t, c, 1)
	})
}
