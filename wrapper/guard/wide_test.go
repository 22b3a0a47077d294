package guard

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// Guesses of many clients in one wide network count together, although each makes few. Then it is
// blocked, by its name, with all its sessions, and no other network is.
func TestWideNetworkGuesses(t *testing.T) {
	for _, tt := range []struct{ name, client, wide, neighbour string }{
		{"IPv4", "192.0.2.%d", "192.0.2.0/24", "192.0.3.1"},
		{"IPv6", "2001:db8:1:%d::1", "2001:db8:1::/48", "2001:db8:2::1"},
		{"NAT64", "64:ff9b::192.0.2.%d", "64:ff9b::c000:200/120", "64:ff9b::192.0.3.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := stand(t, rules+"block strikes=3 grace=60s\n"+
				"wide 24 48 bad_rcpts_total=10/1h\nwide 16 32 bad_rcpts_total=255/1h\n")
			n := 0
			next := func() *mta {
				n++
				return p.client(fmt.Sprintf(tt.client, n))
			}
			sitting, beside := next(), p.client(tt.neighbour)
			for range 4 {
				next().play("mail bad bad", "c c c")
			}
			next().play("mail bad", "c c")
			m := next()
			m.play("mail bad", "c 421")
			line := p.book.await(t, "BADRCPTS")
			if !strings.Contains(line, " network="+tt.wide+" bad=1/3 total=10/10 per=1h good=0 ") ||
				!strings.Contains(line, " left=1h reason=bad_rcpts") {
				t.Error(line)
			}
			lab.Eventually(t, "its other sessions are blocked", func() bool {
				return p.session(fmt.Sprintf(tt.client, 1)).blocked.Load()
			})
			sitting.play("mail", "421")
			beside.play("mail bad bad", "c c c")
			late := p.mta()
			late.want("y421 4.7.1 ", late.connect(fmt.Sprintf(tt.client, 99), 1))
			p.book.await(t, "BLOCKED", "network="+tt.wide+" left=")
			p.inOther(func(tx *ledger.Tx) {
				wide := netip.MustParsePrefix(tt.wide)
				if b, _ := tx.BlockOf(wide.Addr(), wide); b.Network != wide {
					t.Errorf("%+v", b)
				}
			})
		})
	}
}

// Good mail of the wide network speaks for it: with more good recipients than bad ones nobody is
// blocked.
func TestWideNetworkIsOutweighed(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 0\nbad_rcpts_total 0\n"+
		"wide 24 48 bad_rcpts_total=4/1h\n")
	p.client("192.0.2.1").play(strings.Repeat("mail good end ", 5), strings.Repeat("c c c ", 5))
	for n := range 4 {
		p.client(fmt.Sprintf("192.0.2.%d", n+10)).play("mail bad", "c c")
	}
	p.client("192.0.2.99").play("mail bad", "c 421")
	p.book.await(t, "BADRCPTS", "network=192.0.2.0/24", "total=5/4", "total_good=5")
}

// The strike of an excused session counts in the wide network, too, and can block it.
func TestWideNetworkGetsStrikes(t *testing.T) {
	p := stand(t, rules+"block strikes=3 within=1h grace=60s\nwide 24 48 strikes=2\n")
	for n, want := range []string{"strikes=1/2", "network=192.0.2.0/24 .*strikes=2/2 .*left="} {
		m := p.client(fmt.Sprintf("192.0.2.%d", n+1))
		m.play("mail good bad bad bad", "c c c c 421")
		p.book.await(t, "BADRCPTS", fmt.Sprintf("[192.0.2.%d]", n+1),
			strings.Split(want, " .*")[0])
	}
	lab.Eventually(t, "the wide network is blocked", func() (blocked bool) {
		p.inOther(func(tx *ledger.Tx) {
			wide := netip.MustParsePrefix("192.0.2.0/24")
			host := netip.MustParsePrefix("192.0.2.77/32")
			b, ok := tx.BlockOf(host.Addr(), host)
			blocked = ok && b.Network == wide && b.Left > time.Minute
		})
		return blocked
	})
}

// One client cannot have its neighbours blocked: what its many sessions guess once it is blocked
// does not count in the wide network.
func TestWideNetworkGuessesOfOne(t *testing.T) {
	p := stand(t, rules+"block strikes=3 grace=60s\nwide 24 48 bad_rcpts_total=8/1h\n")
	const client = "192.0.2.1"
	all := make([]*mta, 12)
	for i := range all {
		all[i] = p.client(client)
		all[i].play("mail", "c")
	}
	all[0].play("bad bad bad", "c c 421")
	p.book.await(t, "BADRCPTS")
	for _, m := range all[1:] {
		m.play("bad", "421")
	}
	p.client("192.0.2.2").play("mail bad bad", "c c c")
	p.inOther(func(tx *ledger.Tx) {
		wide := netip.MustParsePrefix("192.0.2.0/24")
		if b, blocked := tx.BlockOf(wide.Addr(), wide); blocked {
			t.Errorf("%v is blocked", b.Network)
		}
	})
}

// The guesses of one client each in a wide network count if nothing speaks against it: this machine
// within it, or a line for a network as wide. An allowed client in it is not watched, and a block
// does not hold for it.
func TestWideNetworkLines(t *testing.T) {
	for _, tt := range []struct {
		conf, client string
		blocked      bool
	}{
		{"", "192.0.2.%d", true},
		{"", "127.0.0.%d", false}, // a neighbour of this machine
		{"client 192.0.2.0/24 bad_rcpts_total=0", "192.0.2.%d", false},
		{"client 192.0.0.0/22 bad_rcpts_total=255/1h", "192.0.2.%d", false},
		{"client 192.0.2.0/25 bad_rcpts_total=0", "192.0.2.%d", true},
		{"block off", "192.0.2.%d", false},
	} {
		allowed := fmt.Sprintf(tt.client, 100)
		p := stand(t, rules+"wide 24 48 bad_rcpts_total=3/1h\nallow "+allowed+"\n"+tt.conf+"\n")
		for n := range 2 {
			p.client(fmt.Sprintf(tt.client, n+10)).play("mail bad", "c c")
		}
		answer := "c"
		if tt.blocked || tt.conf == "block off" {
			answer = "421"
		}
		p.client(fmt.Sprintf(tt.client, 12)).play("mail bad", "c "+answer)
		if m := p.mta(); tt.blocked {
			m.want("y421 4.7.1 ", m.connect(fmt.Sprintf(tt.client, 13), 1))
		} else if tt.conf != "block off" {
			m.want("c", m.connect(fmt.Sprintf(tt.client, 13), 1))
		}
		m := p.mta()
		m.want("a", m.connect(allowed, 1))
		m.play("mail bad bad bad good", "c c c c c")
	}
}

// Of two wide networks that have both named too many, the wider one is blocked.
func TestWiderNetworkIsBlocked(t *testing.T) {
	p := stand(t, rules+"wide 24 48 bad_rcpts_total=2/1h\nwide 16 32 bad_rcpts_total=3/1h\n"+
		"client 192.0.2.0/24 bad_rcpts_total=3/1h\n")
	for _, client := range []string{"192.0.2.1", "192.0.2.2"} {
		p.client(client).play("mail bad", "c c")
	}
	p.client("192.0.2.3").play("mail bad", "c 421")
	p.book.await(t, "BADRCPTS", "network=192.0.0.0/16", "total=3/3")
	p.inOther(func(tx *ledger.Tx) {
		host := netip.MustParsePrefix("192.0.2.3/32")
		narrow := netip.MustParsePrefix("192.0.2.0/24")
		if b, ok := tx.BlockOf(host.Addr(), host); !ok || b.Network.Bits() != 16 {
			t.Errorf("%+v", b)
		}
		if n := tx.Rcpts(narrow, time.Hour).Bad; n != 3 {
			t.Errorf("%d bad ones in %v", n, narrow)
		}
	})
}
