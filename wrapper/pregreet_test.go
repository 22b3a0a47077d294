package wrapper

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// says is a client that sends these bytes.
func says(text string) func(*net.TCPConn) { return func(c *net.TCPConn) { c.Write([]byte(text)) } }

// earlyTalk is a block that began because the client had sent a PROXY header.
func earlyTalk(d *doorway) {
	network := netip.MustParsePrefix("127.0.0.2/32")
	_ = d.Ledger.Run(func(t *ledger.Tx) {
		t.Strike(network, decide.Reason(policy.Proxy), 1, Penalty(d.Policy.Settings))
	})
}

// lastReply is the reply that the client has read.
func lastReply(t *testing.T, s *Session, client *net.TCPConn) string {
	t.Helper()
	unix.Shutdown(s.FD, unix.SHUT_RDWR)
	return readAll(t, client)
}

// standing is what the ledger says of the client.
func (d *doorway) standing(t *testing.T) (s ledger.Standing) {
	t.Helper()
	var f decide.Facts
	client := netip.MustParseAddr("127.0.0.2")
	d.facts(&f, client, d.room)
	a := d.arrival(netip.AddrPortFrom(client, 0), &f.Limits)
	if err := d.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) { s = tx.Look(a) }); err != nil {
		t.Fatal(err)
	}
	return s
}

// A known client that speaks early gets a temporary error. However often it does so, and whatever
// on_pregreet says, it gets no strike and stays known.
func TestKnownSpeaksEarly(t *testing.T) {
	const pipeconnect = "EHLO client\r\nMAIL FROM:<a@client>\r\nRCPT TO:<b@mx>\r\nDATA\r\n"
	for _, action := range []string{"reject", "tempfail", "drop"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			d := open(t, "", "greet_delay 50ms stress=50ms\nblock strikes=1\non_pregreet "+action)
			d.from = stranger
			if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
				t.Fatalf("%v at first; want PASS", s.Verdict)
			}
			d.line(t)
			for range 10 {
				s, client, served := d.meet(t, says(pipeconnect))
				got := lastReply(t, s, client)
				if s.Verdict != decide.Pregreet || served || !strings.HasPrefix(got, "421 4.5.1 ") {
					t.Fatalf("%v, served %v, read %q; want PREGREET and 421",
						s.Verdict, served, got)
				}
				line := d.line(t)
				if strings.Contains(line, " strikes=") ||
					!strings.Contains(line, " reply=421 hint=") {
					t.Errorf("want no strike, and 421: %s", line)
				}
			}
			if s, _, _ := d.meet(t, nil); s.Verdict != decide.Known {
				t.Errorf("%v in the end; want KNOWN", s.Verdict)
			}
		})
	}
}

// A client that was known not long ago has also shown that it can wait.
func TestLapsedSpeaksEarly(t *testing.T) {
	d := open(t, "", "greet_delay 290s stress=290s\nblock strikes=1")
	d.from = stranger
	network := netip.MustParsePrefix("127.0.0.2/32")
	_ = d.Ledger.Run(func(tx *ledger.Tx) { tx.Remember(network, time.Millisecond) })
	lab.Eventually(t, "it is not known any more", func() bool { return !d.standing(t).Known })
	s, client, _ := d.meet(t, speak)
	got := lastReply(t, s, client)
	if s.Verdict != decide.Pregreet || !strings.HasPrefix(got, "421 4.5.1 ") {
		t.Errorf("%v, read %q; want PREGREET and 421", s.Verdict, got)
	}
	if s := d.standing(t); s.Strikes > 0 || s.Blocked {
		t.Errorf("it has a strike: %+v", s)
	}
}

// With remember 0, and after an offence, it is a stranger.
func TestNotProven(t *testing.T) {
	struck := func(d *doorway) {
		network := netip.MustParsePrefix("127.0.0.2/32")
		_ = d.Ledger.Run(func(t *ledger.Tx) { t.Strike(network, "fail2ban", 1, ledger.Penalty{}) })
	}
	for _, tt := range []struct {
		name, conf string
		before     func(*doorway)
	}{
		{"remember 0", "remember 0", known}, {"a strike since", "", both(known, struck)},
		{"never known", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := open(t, "", "greet_delay 290s stress=290s\nblock strikes=8\n"+tt.conf)
			d.from = stranger
			if tt.before != nil {
				tt.before(d)
			}
			before := d.standing(t).Strikes
			s, client, _ := d.meet(t, speak)
			if got := lastReply(t, s, client); s.Verdict != decide.Pregreet ||
				!strings.HasPrefix(got,
					"554 5.5.1 ") {
				t.Errorf("%v, read %q; want PREGREET and 554", s.Verdict, got)
			}
			if n := d.standing(t).Strikes - before; n != 1 {
				t.Errorf("%d strikes more; want 1", n)
			}
		})
	}
}

// Without the ledger any client may be a known one.
func TestSpeaksEarlyWithoutLedger(t *testing.T) {
	d := open(t, "", "greet_delay 290s stress=290s")
	d.from = stranger
	_ = d.Ledger.Close()
	s, client, _ := d.meet(t, speak)
	got := lastReply(t, s, client)
	if s.Verdict != decide.Pregreet || !strings.HasPrefix(got, "421 4.5.1 ") {
		t.Errorf("%v, read %q; want PREGREET and 421", s.Verdict, got)
	}
}

// Each kind of early bytes has the weight of strikes_by_kind, and is the reason of strike and
// block.
func TestStrikesByKind(t *testing.T) {
	samples := map[policy.Kind]string{
		policy.Ehlo: "EHLO bot\r\n", policy.Pipelined: "EHLO bot\r\nQUIT\r\n",
		policy.TLS:   "\x16\x03\x01\x02\x00\x01",
		policy.HTTP:  "GET / HTTP/1.1\r\n",
		policy.Proxy: "PROXY TCP4 192.0.2.1 198.51.100.5 4000 25\r\n", policy.Other: "\x00",
	}
	const other = "strikes_by_kind ehlo=0 pipelined=2 tls=3 http=8 proxy=1 other=5"
	for _, conf := range []string{"", other, "strikes_by_kind tls=2"} {
		d := open(t, "", "greet_delay 290s stress=290s\nblock strikes=8\n"+conf)
		d.from = stranger
		for kind, text := range samples {
			weight := d.Policy.KindStrikes[kind]
			t.Run(fmt.Sprintf("%s %v=%d", conf, kind, weight), func(t *testing.T) {
				d := open(t, "", "greet_delay 290s stress=290s\nblock strikes=8\n"+conf)
				d.from = stranger
				reason := "pregreet:" + kind.String()
				s, client, _ := d.meet(t, says(text))
				if got := lastReply(t, s, client); s.Verdict != decide.Pregreet ||
					!strings.HasPrefix(got, "554 5.5.1 ") {
					t.Errorf("%v, read %q; want PREGREET and 554", s.Verdict, got)
				}
				st, blocked := d.standing(t), weight == 8
				if st.Blocked != blocked || !blocked && st.Strikes != weight ||
					weight > 0 && st.Reason != reason {
					t.Errorf("%+v; want %d strikes for %s", st, weight, reason)
				}
				line := d.line(t)
				strikes := fmt.Sprintf(" strikes=%d/8 ", weight)
				if strings.Contains(line, strikes) != (weight > 0) {
					t.Errorf("want%s: %s", strikes, line)
				}
				hint := fmt.Sprintf(" hint=%q kind=%v ", decide.Hint(reason), kind)
				if strings.Contains(line, hint) != (weight == 0) {
					t.Errorf("a hint where there is no strike, and only there: %s", line)
				}
				if _, d, why := s.Block(); (d > 0) != blocked || why != reason {
					t.Errorf("block for %v because of %s", d, why)
				}
			})
		}
	}
}

// A client that waits after it has spoken early has learned to wait. That takes back a strike for
// speaking early.
func TestForgiven(t *testing.T) {
	for _, tt := range []struct {
		reasons []string
		want    int
	}{
		{[]string{"pregreet:ehlo"}, 0},
		{[]string{"pregreet:ehlo", "pregreet:other"}, 1},
		{[]string{"fail2ban", "pregreet:ehlo"}, 1},
		{[]string{"pregreet:ehlo", "fail2ban"}, 2},
	} {
		d := open(t, "", "greet_delay 50ms stress=50ms\nremember 0")
		d.from = stranger
		network := netip.MustParsePrefix("127.0.0.2/32")
		for _, reason := range tt.reasons {
			_ = d.Ledger.Run(func(t *ledger.Tx) {
				t.Strike(network, reason, 1, Penalty(d.Policy.Settings))
			})
		}
		if s, _, _ := d.meet(t, nil); s.Verdict != decide.Pass {
			t.Fatalf("%v; want PASS", s.Verdict)
		}
		if got := d.standing(t).Strikes; got != tt.want {
			t.Errorf("of %v %d strikes are left; want %d", tt.reasons, got, tt.want)
		}
	}
}
