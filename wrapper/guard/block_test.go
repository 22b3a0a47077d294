package guard

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// block has another process block a network.
func (p *post) block(network string, d time.Duration) {
	p.inOther(func(tx *ledger.Tx) {
		tx.Block(netip.MustParsePrefix(network), d, "admin",
			ledger.Penalty{})
	})
}

func (p *post) unblock(network string) {
	p.t.Helper()
	l := p.ledger()
	defer l.Close()
	_, err := l.Unblock(ledger.Now(), netip.MustParsePrefix(network))
	mustDo(p.t, err)
}

// session is the one of that client.
func (p *post) session(addr string) *session {
	p.t.Helper()
	for _, s := range p.allSessions() {
		if s.client.Addr() == netip.MustParseAddr(addr) {
			return s
		}
	}
	p.t.Fatalf("no session of %s", addr)
	return nil
}

// Sessions of a network that another process blocks are ended soon, and no others.
func TestBlockedMeanwhile(t *testing.T) {
	p := stand(t, rules+"block strikes=3 grace=60s\n") // no client is disconnected within the test
	in := []string{"192.0.2.1", "192.0.2.200"}
	out := []string{"192.0.3.1", "2001:db8:1::1"}
	all := map[string]*mta{}
	for _, addr := range append(in, out...) {
		all[addr] = p.client(addr)
		all[addr].play("mail good", "c c")
	}
	p.block("192.0.2.0/24", time.Hour)
	lab.Eventually(t, "both are blocked", func() bool {
		return p.session(in[0]).blocked.Load() &&
			p.session(in[1]).blocked.Load()
	})
	for _, addr := range in {
		all[addr].play("good end mail rset mail", "421 421 421 421")
		line := p.book.await(t, "BLOCKED", "["+addr+"]")
		want := regexp.MustCompile(
			` network=192\.0\.2\.0/24 left=5\d?m(\d+s)? reason=admin reply=421 queue=QUEUE1`)
		if !want.MatchString(line) {
			t.Errorf("%s; want %s", line, want)
		}
	}
	for _, addr := range out {
		all[addr].play("good end mail rset mail", "c c c c")
	}
	if n := p.count(int(decide.Blocked)); n != 2 {
		t.Errorf("%d are counted", n)
	}

	// A message that is under way when the block begins may be the last.
	p.block("2001:db8:1::/48", time.Hour)
	lab.Eventually(t, "the third is blocked", func() bool {
		return p.session(out[1]).blocked.Load()
	})
	all[out[1]].play("end mail good", "c 421 421")

	// A client that comes while a block runs is refused at once.
	m := p.mta()
	m.want("y421 4.7.1 ", m.connect("192.0.2.77", 1))
	m.play("mail good", "421 421")
}

// More blocks between two looks than the ledger names.
func TestManyBlocks(t *testing.T) {
	p := build(t, rules+"block strikes=3 grace=60s\n")
	go p.accept(p.listen())
	p.block("192.0.2.0/24", time.Hour)
	seen := p.findNewBlocks(0)
	a, b := p.client("192.0.3.1"), p.client("192.0.4.1")
	other := p.ledger()
	defer other.Close()
	for n := range 200 {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n), 0}), 24)
		if n == 0 {
			network = netip.MustParsePrefix("192.0.3.0/24")
		}
		mustDo(t, other.Do(ledger.Now(), func(tx *ledger.Tx) {
			tx.Block(network, time.Hour, "admin",
				ledger.Penalty{})
		}))
	}
	seen = p.findNewBlocks(seen)
	a.play("mail", "421")
	b.play("mail good", "c c")

	// The first look of a guard, with blocks from before and since.
	c := p.client("192.0.5.1")
	p.block("192.0.5.0/24", time.Hour)
	if now := p.findNewBlocks(0); now != seen+1 {
		t.Errorf("the last block has number %d; want %d", now, seen+1)
	}
	c.play("mail", "421")
	b.play("end mail good", "c c c")
}

// A block that was lifted before the look has no effect, nor does it for clients that come later.
func TestLifted(t *testing.T) {
	p := build(t, rules+"block strikes=3 grace=60s\n")
	go p.accept(p.listen())
	m := p.client("192.0.2.1")
	seen := p.findNewBlocks(0)
	p.block("192.0.2.0/24", time.Hour)
	p.unblock("192.0.2.0/24")
	if now := p.findNewBlocks(seen); now == seen {
		t.Error("no block has begun")
	}
	m.play("mail good", "c c")
	p.block("192.0.2.0/24", time.Hour)
	p.findNewBlocks(seen)
	m.play("mail good", "421 421")
	p.unblock("192.0.2.0/24")
	p.client("192.0.2.1").play("mail good", "c c")
}

// A session that is marked as blocked goes on if the block is lifted, or over, before its next
// command; it is not disconnected, either.
func TestLiftedInTime(t *testing.T) {
	p := build(t, rules+"block strikes=3 grace=0s\n")
	go p.accept(p.listen())
	m := p.client("192.0.2.1")
	seen := p.findNewBlocks(0)
	p.block("192.0.2.0/24", time.Hour)
	seen = p.findNewBlocks(seen)
	p.unblock("192.0.2.0/24")
	if !p.session("192.0.2.1").blocked.Load() {
		t.Fatal("the session is not marked as blocked: this test proves nothing")
	}
	m.play("mail good", "c c")
	s := p.session("192.0.2.1")
	for d := 200 * time.Millisecond; !s.blocked.Load(); d *= 2 { // or it is over before we look
		p.block("192.0.2.0/24", d)
		seen = p.findNewBlocks(seen)
		time.Sleep(d + 50*time.Millisecond)
	}
	m.play("good bad bad bad", "c c c 421")
	p.book.await(t, "BADRCPTS", "strikes=1/2") // not by a block that was lifted
}

// In observe mode a block is logged, and no client is refused.
func TestBlockObserved(t *testing.T) {
	p := stand(t, rules+"mode observe\n")
	m := p.client("192.0.2.1")
	p.block("192.0.2.0/24", time.Hour)
	lab.Eventually(t, "it is blocked", func() bool { return p.session("192.0.2.1").blocked.Load() })
	m.play("mail good end mail bad bad bad bad", "c c c c c c c c")
	line := p.book.await(t, "BLOCKED")
	if !strings.Contains(line, " mode=observe ") || strings.Contains(line, "reply=") {
		t.Error(line)
	}
	p.client("192.0.2.2").play("mail good", "c c")
}

// A block that one session causes ends all sessions of its network at once, before the next look.
func TestTogether(t *testing.T) {
	p := build(t, rules+"block strikes=3 grace=60s\ncount_by 24 64\n") // has no watch that looks
	go p.accept(p.listen())
	first := p.client("192.0.2.1")
	var others []*mta
	for n := range 20 {
		m := p.client(fmt.Sprintf("192.0.2.%d", n+10))
		m.play("mail", "c")
		others = append(others, m)
	}
	stranger := p.client("192.0.3.1")
	first.play("mail bad bad bad", "c c c 421")
	for _, m := range others {
		m.play("good", "421")
	}
	stranger.play("mail good", "c c")
	if n := len(p.book.lines("BLOCKED", "network=192.0.2.0/24 left=",
		"reason=bad_rcpts")); n != 20 {
		t.Errorf("%d lines; %q", n, p.book.lines())
	}
}

// In observe mode no answer is delayed either, and the block is not logged a second time for the
// session that caused it.
func TestObservedIsNotHeldBack(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 5s\nmode observe\n")
	m := p.client("192.0.2.1")
	m.play("mail bad bad bad bad good end mail good", "c c c c c c c c c")
	if d := p.session("192.0.2.1").delayed; d > 0 {
		t.Errorf("it waited for %v", d)
	}
	m.Close()
	lab.Eventually(t, "it is gone", func() bool { return len(p.allSessions()) == 0 })
	p.book.await(t, "BADRCPTS", "mode=observe")
	if lines := p.book.lines("BLOCKED"); len(lines) > 0 {
		t.Errorf("%q", lines)
	}
}
