package wrapper

import (
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// What follows from lists that do not work, and from DNS that does not.

// A resolver that does not answer delays nobody, refuses nobody, and sets no list aside.
func TestDeadResolver(t *testing.T) {
	n := lab.NewNameserver(t)
	n.Hold("")
	d := dnsDoor(t, "", n, "greet_delay 1s stress=1s\n", map[string]int{"bad": 3, "good": -2})
	s, _, served := d.meet(t, nil)
	if s.Verdict != decide.Pass || !served || s.waited < time.Second {
		t.Errorf("%v, served %v, waited %v", s.Verdict, served, s.waited)
	}
	if line := d.line(t); !strings.HasPrefix(line, "DNS does not answer: ") {
		t.Error(line)
	}
	line := d.line(t)
	if !strings.HasPrefix(line, "PASS ") || !strings.HasSuffix(line, " dns=none") {
		t.Error(line)
	}
	err := d.Ledger.Run(func(tx *ledger.Tx) {
		for i := range d.Policy.Lists {
			if l := tx.List(d.Policy.Lists[i].Zone); l.Aside > 0 {
				t.Errorf("%s is set aside: %s", d.Policy.Lists[i].Name, l.Why)
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// A list that lies refuses nobody. It is not asked again, and the log says so once.
func TestLyingList(t *testing.T) {
	t.Parallel()
	n := lab.NewNameserver(t, reversed+".secret.bad.example. 300 IN A 127.255.255.254")
	behave(t, n, map[string]bool{"bad": false, "good": false})
	d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\n", map[string]int{"bad": 3, "good": -2})
	s, _, _ := d.meet(t, nil)
	if s.Verdict != decide.Pass {
		t.Errorf("%v by a list that lies", s.Verdict)
	}
	want := "list bad " + dnsbl.Meaning(dnsbl.PublicResolver) + "; it does not count for 30m"
	if line := d.line(t); line != want {
		t.Errorf("%q; want %q", line, want)
	}
	if line := d.line(t); !strings.HasPrefix(line, "PASS ") {
		t.Error(line)
	}
	d.from = "127.9.8.6"
	if s, _, _ = d.meet(t, nil); s.Verdict != decide.Pass {
		t.Error(s.Verdict)
	}
	if line := d.line(t); !strings.HasPrefix(line, "PASS ") {
		t.Errorf("said again: %s", line)
	}
	bad, good := n.Asked("6.8.9.127.secret.bad.example"), n.Asked("6.8.9.127.secret.good.example")
	if bad != 0 || good != 1 {
		t.Errorf("asked %d times a list that is set aside, %d times the other", bad, good)
	}
}
