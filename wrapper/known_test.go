package wrapper

import (
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// With remember_after mail no client is known for having waited, however it was answered then.
func TestKnownAfterMail(t *testing.T) {
	const delay = "greet_delay 290s stress=290s\nremember_after mail\n"
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"good": true})
	welcome := dnsDoor(t, "", n, delay, map[string]int{"good": -2})
	for name, d := range map[string]*doorway{
		"PASS": open(t, "", delay), "BUSY": open(t, "", delay+"max_sessions 1\nreserve 0%"),
		"DNSWL": welcome,
	} {
		if name != "DNSWL" {
			d.from = stranger
		}
		for range 2 {
			s, _ := d.enter(t)
			if !s.Arrive() || s.Delay() == 0 && name != "DNSWL" {
				t.Fatalf("%s: %v, waits for %v", name, s.Verdict, s.Delay())
			}
			if name == "DNSWL" { // the second time the ledger knows what the lists say
				s.wait()
			}
			if name == "BUSY" {
				serving("192.0.2.1")(d)
			}
			s.Conclude(decide.Quiet, s.Delay())
			if s.Verdict.String() != name {
				t.Errorf("%v; want %s", s.Verdict, name)
			}
			s.End()
			err := d.Ledger.Do(ledger.Now(), func(tx *ledger.Tx) {
				if tx.Known(s.network) {
					t.Errorf("%s: the client is known", name)
				}
				tx.FreeExcept(d.Process, nobody)
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Leaving in a row still lets a client in once, but does not make it known; to wait ends the row.
func TestKnownByHangupsAfterMail(t *testing.T) {
	const half = 145 * time.Second
	for _, waits := range []bool{false, true} {
		d := open(t, "", "greet_delay 290s stress=290s\nremember_after mail")
		d.from = stranger
		hungUp(2, half)(d)
		if waits {
			s, _ := d.enter(t)
			s.Arrive()
			s.Conclude(decide.Quiet, s.Delay())
			s.End()
		}
		hungUp(1, half)(d)
		s, _ := d.enter(t)
		if s.Arrive(); (s.Delay() == 0) == waits {
			t.Fatalf("has to wait for %v; a wait in between: %v", s.Delay(), waits)
		}
		s.Conclude(decide.Quiet, s.Delay())
		s.End()
		if d.standing(t).Known {
			t.Errorf("known without a message; a wait in between: %v", waits)
		}
	}
}
