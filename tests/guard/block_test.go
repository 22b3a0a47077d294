package guard

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// hook appends its arguments to the site's file `blocked`, and the same from the environment.
const hook = `#!/bin/sh
echo "$* | $SENDWRAP_NETWORK $SENDWRAP_FAMILY $SENDWRAP_SECONDS $SENDWRAP_REASON" \
	>>"${0%/*}/blocked"
`

// hookCalls are the calls of on_block so far.
func (s *site) hookCalls() []string {
	text, _ := os.ReadFile(s.file("blocked"))
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// writeHook writes on_block's program.
func writeHook(s *site) {
	if err := os.WriteFile(s.file("hook"), []byte(hook), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// on_block is called for each block, with all that a firewall needs; but never for the machine's
// own addresses.
func TestOnBlock(t *testing.T) {
	conf := `on_block SITE/hook one "two words"`
	everySite(t, options{conf: conf, before: writeHook}, kinds, func(t *testing.T, s *site) {
		for _, from := range []netip.Addr{addr("127.0.0.1"), addr("127.0.0.5"), addr("::1"),
			server4, server6} {
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
				about := fmt.Sprintf("%v %s 3600 bad_rcpts", networkOf(from),
					map[bool]string{false: "ipv4", true: "ipv6"}[w.v6])
				want := "one two words " + about + " | " + about
				lab.Eventually(t, "on_block is called with "+want, func() bool {
					return slices.Contains(s.hookCalls(), want)
				})
			})
		})
		if calls := s.hookCalls(); len(calls) != len(ways) {
			t.Errorf("on_block was called with %q; want %d calls, none for our own addresses",
				calls, len(ways))
		}
	})
}

// startBlock runs `sendwrap block`, and does not wait for it: that may take as long as the grace.
func (s *site) startBlock(t *testing.T, client netip.Addr) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := s.sendwrap(ctx, "block", client.String()); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		cancel() // in a test that has failed
		running.Wait()
	})
}

// `sendwrap block` ends the live sessions of its network after the grace, and no others.
func TestBlockFromOutside(t *testing.T) {
	const grace = time.Second
	everywhere(t, options{conf: "block grace=1s"}, func(t *testing.T, s *site, w way) {
		elsewhere := way{v6: !w.v6, tls: w.tls} // the other client is in another network
		from, neighbour := w.stranger(), elsewhere.stranger()
		idle, busy := s.session(t, w, from), s.session(t, w, from)
		other := s.session(t, elsewhere, neighbour)
		for _, c := range []*client{busy, other} {
			c.expect("250", mailFrom)
			c.expect("250", rcpt("good001"))
		}
		pid := mtaOf(t, busy)
		began := time.Now()
		s.startBlock(t, from)
		for _, c := range []*client{idle, busy} {
			if replies := c.waitClosed(); len(replies) > 1 {
				t.Errorf("%v gets %q", c.Addr, replies)
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

// A client that is blocked during a session gets only 421 from then on, also within the grace.
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

// expectRefused sends a command until the guard has seen the block: it looks several times a
// second. The answer then is 421 in place of 250, and the session ends.
func (s *site) expectRefused(t *testing.T, c *client, w way, line string) {
	t.Helper()
	answer := ""
	lab.Eventually(t, "the guard sees the block", func() bool {
		answer = c.command(line)
		return !strings.HasPrefix(answer, "250 ")
	})
	if !strings.HasPrefix(answer, "421 4.7.1 ") && (answer != "" || !s.saysYes(w)) {
		t.Errorf("%v: %q is answered %q; want 421 4.7.1", c.Addr, line, answer)
	}
	c.waitClosed()
}

// kill=off: live sessions go on, but get only 421. Sessions that began under kill=on show by their
// end that those under kill=off would have ended, too.
func TestKillOff(t *testing.T) {
	everySite(t, options{conf: "block kill=off grace=0s"}, kinds, func(t *testing.T, s *site) {
		type pair struct{ kept, ended *client }
		var all []pair
		for _, w := range ways {
			all = append(all, pair{kept: s.session(t, w, w.stranger())})
		}
		s.configure("block kill=on grace=0s")
		s.signal(syscall.SIGHUP)
		s.guardLog("configuration reloaded")
		for i, w := range ways {
			all[i].ended = s.session(t, w, all[i].kept.Addr.Addr())
		}
		s.configure("block kill=off grace=0s") // for the command
		for _, p := range all {
			s.command("block", p.kept.Addr.Addr().String())
		}
		for _, p := range all {
			p.ended.waitClosed()
		}
		for i, w := range ways {
			all[i].kept.expect("250", "NOOP")
			s.expectEnd(all[i].kept, w, "421 4.7.1 ", mailFrom)
		}
	})
}
