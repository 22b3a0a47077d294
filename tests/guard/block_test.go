package guard

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// hook writes what it is told to the site's file `blocked`: arguments, and the same from the
// environment.
const hook = `#!/bin/sh
echo "$* | $SENDWRAP_NETWORK $SENDWRAP_FAMILY $SENDWRAP_SECONDS $SENDWRAP_REASON" >>"${0%/*}/blocked"
`

// hookCalls is what on_block has been told so far.
func (s *site) hookCalls() []string {
	text, _ := os.ReadFile(s.file("blocked"))
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// writeHook writes the program.
func writeHook(s *site) {
	if err := os.WriteFile(s.file("hook"), []byte(hook), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// What has earned a block is handed on, with all that a firewall wants to know; but never our own
// addresses.
func TestOnBlock(t *testing.T) {
	conf := `on_block SITE/hook one "two words"`
	everySite(t, options{conf: conf, before: writeHook}, kinds, func(t *testing.T, s *site) {
		for _, from := range []netip.Addr{addr("127.0.0.1"), addr("127.0.0.5"), addr("::1"), server4, server6} {
			c := s.session(t, way{}, from)
			c.expect("250", mailFrom)
			checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
			c.waitClosed()
			logged(t, "BADRCPTS", c.Addr)
		}
		t.Run("abroad", func(t *testing.T) {
			eachWay(t, s, func(t *testing.T, s *site, w way) {
				from := w.stranger()
				c := s.session(t, w, from)
				c.expect("250", mailFrom)
				checkAnswers(t, c.tryNames(names("bad", 20)...), 2, 3)
				c.waitClosed()
				about := fmt.Sprintf("%v %s 3600 bad_rcpts", networkOf(from), map[bool]string{false: "ipv4", true: "ipv6"}[w.v6])
				want := "one two words " + about + " | " + about
				lab.Eventually(t, "on_block is told "+want, func() bool {
					return slices.Contains(s.hookCalls(), want)
				})
			})
		})
		if told := s.hookCalls(); len(told) != len(ways) {
			t.Errorf("on_block was told %q; want %d, and none about our own addresses", told, len(ways))
		}
	})
}

// startBlock begins a block from outside, by a command that may take as long as the grace.
func (s *site) startBlock(t *testing.T, client netip.Addr) {
	t.Helper()
	cmd := exec.Command(sendwrap, "block", "-f", s.file("sendwrap.conf"), client.String())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // in a test that has failed
		_ = cmd.Wait()
	})
}

// A block from outside ends the live sessions of its network after the grace, and no others.
func TestBlockFromOutside(t *testing.T) {
	const grace = time.Second
	everywhere(t, options{conf: "block grace=1s"}, func(t *testing.T, s *site, w way) {
		elsewhere := way{v6: !w.v6, tls: w.tls} // the same client may have an address in another network
		from, neighbour := w.stranger(), elsewhere.stranger()
		idle, busy, other := s.session(t, w, from), s.session(t, w, from), s.session(t, elsewhere, neighbour)
		for _, c := range []*client{busy, other} {
			c.expect("250", mailFrom)
			c.expect("250", rcpt("good001"))
		}
		pid := mtaOf(t, busy)
		began := time.Now()
		s.startBlock(t, from)
		for _, c := range []*client{idle, busy} {
			if said := c.waitClosed(); len(said) > 1 {
				t.Errorf("one heard %q", said)
			}
			if took := time.Since(began); took < grace {
				t.Errorf("a session ended after %v; the grace is %v", took, grace)
			}
		}
		if s.kind.name != postfix.name {
			lab.Eventually(t, "the MTA process ends", func() bool { return !lab.Running(pid) })
		}
		s.waitDelivered(t, other.sendData(1))
		s.waitDelivered(t, other.sendMessage("good002"))
		other.expect("221", "QUIT")
		checkTurnedAway(t, s, from)
		unlogged(t, trouble, neighbour)
	})
}

// Who is blocked in the midst of a session hears nothing but 421 from then on, also within the
// grace.
func TestBlockedInGrace(t *testing.T) {
	everywhere(t, options{conf: "block grace=60s"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		c := s.session(t, w, from)
		c.expect("250", mailFrom)
		s.startBlock(t, from)
		s.expectRefused(t, c, w, rcpt("good001"))
		logged(t, "BLOCKED", c.Addr)
	})
}

// expectRefused has a client say a line, once the guard has looked for blocks, which it does several
// times a second: what was answered with 250 before is answered with 421, and the session ends.
func (s *site) expectRefused(t *testing.T, c *client, w way, line string) {
	t.Helper()
	answer := ""
	lab.Eventually(t, "the guard sees the block", func() bool {
		answer = c.command(line)
		return !strings.HasPrefix(answer, "250 ")
	})
	if !strings.HasPrefix(answer, "421 4.7.1 ") && !s.losesLast(answer, w) {
		t.Errorf("%v: %q is answered %q; want 421 4.7.1", c.Addr, line, answer)
	}
	c.waitClosed()
}

// kill=off: what lives goes on, but hears nothing but 421. A session that came after the guard had
// read kill=on shows when a session would have been ended.
func TestKillOff(t *testing.T) {
	everySite(t, options{conf: "block kill=off grace=0s"}, kinds, func(t *testing.T, s *site) {
		type pair struct{ spared, ended *client }
		var all []pair
		for _, w := range ways {
			all = append(all, pair{spared: s.session(t, w, w.stranger())})
		}
		s.configure("block kill=on grace=0s")
		s.signal(syscall.SIGHUP)
		s.guardLog("read anew")
		for i, w := range ways {
			all[i].ended = s.session(t, w, all[i].spared.Addr.Addr())
		}
		s.configure("block kill=off grace=0s") // what the command goes by
		for _, p := range all {
			s.command("block", p.spared.Addr.Addr().String())
		}
		for _, p := range all {
			p.ended.waitClosed()
		}
		for i, w := range ways {
			all[i].spared.expect("250", "NOOP")
			s.expectEnd(all[i].spared, w, "421 4.7.1 ", mailFrom)
		}
	})
}
