package guard

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// knows says whether a client is known, and trusted, in the ledger.
func (p *post) knows(addr string) (known, trusted bool) {
	p.t.Helper()
	client := netip.MustParseAddr(addr)
	err := p.inLedger(func(t *ledger.Tx) {
		s := t.Look(ledger.Arrival{Client: netip.AddrPortFrom(client, 0),
			Network: p.config.Load().Network(client)})
		known, trusted = s.Known, s.Trusted
	})
	mustDo(p.t, err)
	return known, trusted
}

// With remember_after mail a message makes its client known, and nothing else does.
func TestKnownByMail(t *testing.T) {
	for _, tt := range []struct {
		name, conf, commands, answers string
		known                         bool
	}{
		{"a message", "", "mail good end", "c c c", true},
		{"one with bad recipients, too", "", "mail bad good end", "c c c c", true},
		{"of the null sender", "", "null good end", "c c c", true},
		{"of an authenticated client", "", "auth good end", "c c c", true},
		{"of one that is watched", "guard_auth on", "auth good end", "c c c", true},
		{"without limits", "bad_rcpts 0\nbad_rcpts_total 0", "mail good end", "c c c", true},
		{"observed", "mode observe", "mail good end", "c c c", true},
		{"with another share", "bad_rcpts_total 10/1h share=0", "mail good end", "c c c", true},
		{"none, of an address check", "", "null good rset", "c c", false},
		{"none yet", "", "mail good", "c c", false},
		{"none, too many bad ones", "bad_rcpts 1", "mail bad good end", "c 421 421 421", false},
		{"nobody is remembered", "remember 0", "mail good end", "c c c", false},
		{"remember_after wait", "remember_after wait", "mail good end", "c c c", false},
	} {
		conf := tt.conf + "\nbad_rcpt_delay 0s\n"
		if tt.conf != "remember_after wait" {
			conf += "remember_after mail\n"
		}
		p := stand(t, conf)
		p.client("192.0.2.1").play(tt.commands, tt.answers)
		if known, trusted := p.knows("192.0.2.1"); known != tt.known || trusted != tt.known {
			t.Errorf("%s: known %v, trusted %v", tt.name, known, trusted)
		}
	}
}

// passed is a client that the door serves because it has waited.
func (p *post) passed(addr string, port uint16) {
	p.t.Helper()
	client := netip.AddrPortFrom(netip.MustParseAddr(addr), port)
	mustDo(p.t, p.inLedger(func(t *ledger.Tx) {
		s, _ := t.Enter(ledger.Arrival{Client: client,
			Network: p.config.Load().Network(client.Addr()), Delay: time.Second}, ledger.Self())
		t.ServePassed(s)
	}))
}

// The guard counts the sessions of clients that had waited, and those of them without a message. A
// session that goes on when the guard ends is not counted.
func TestPassedCounts(t *testing.T) {
	p := stand(t, "bad_rcpt_delay 0s\nbad_rcpts 1\n")
	count := func() (passed, silent uint64) {
		p.inOther(func(tx *ledger.Tx) {
			n := tx.Totals()
			passed, silent = n.Passed, n.Silent
		})
		return passed, silent
	}
	var wantPassed, wantSilent uint64
	for i, tt := range []struct {
		waited            bool
		commands, answers string
		silent            bool
	}{
		{true, "mail good end", "c c c", false},
		{true, "auth good end mail good rset", "c c c c c", false},
		{true, "null good rset", "c c", true},
		{true, "mail bad good end", "c 421 421 421", true},
		{true, "", "", true},
		{false, "mail good rset", "c c", false},
	} {
		addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}).String()
		if tt.waited {
			p.passed(addr, 40000)
			wantPassed++
		}
		if tt.silent {
			wantSilent++
		}
		m := p.client(addr)
		m.play(tt.commands, tt.answers)
		m.Close()
		lab.Eventually(t, "the session is over", func() bool { return len(p.allSessions()) == 0 })
		if passed, silent := count(); passed != wantPassed || silent != wantSilent {
			t.Errorf("%q: %d passed, %d silent; want %d, %d", tt.commands, passed, silent,
				wantPassed, wantSilent)
		}
	}
	if l := p.ledger(); !l.HasGuard() {
		t.Error("no guard is registered")
	}
	p.passed("192.0.2.99", 40000)
	m := p.client("192.0.2.99")
	p.stop()
	m.Close()
	lab.Eventually(t, "the guard has ended", func() bool { return len(p.allSessions()) == 0 })
	if passed, _ := count(); passed != wantPassed {
		t.Errorf("%d passed with that of a guard that has ended; want %d", passed, wantPassed)
	}
}
