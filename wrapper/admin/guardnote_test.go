package admin

import (
	"strings"
	"testing"

	"sendwrap/wrapper/ledger"
)

// With remember_after mail and no guard, or with remember 0, check and status say that no client
// becomes known.
func TestNoGuard(t *testing.T) {
	const noGuard = "no guard runs, so no client becomes known; start sendwrap guard, " +
		"and name it in the MTA's configuration\n"
	const never = "with remember 0 no client becomes known; remove one of the two lines\n"
	for _, tt := range []struct {
		conf  string
		guard bool
		note  string
	}{
		{"remember_after mail\n", false, noGuard}, {"remember_after mail\n", true, ""},
		{"", false, ""}, {"remember_after mail\nremember 0\n", false, never},
		{"remember_after mail\nremember 0\n", true, never},
	} {
		p := inPlace(t, noNotes+tt.conf)
		want := func(when string) {
			_, said := p.says(0, "check")
			text, _ := p.says(0, "status")
			inCheck, inStatus := "", strings.Contains(text, "remember_after mail, but ")
			if tt.note != "" {
				inCheck = "note: " + p.conf + ":5: remember_after: " + tt.note
				text = strings.Join(strings.Fields(text), " ") // it is folded
				known := " known remember_after mail, but " + strings.TrimSpace(tt.note)
				inStatus = strings.Contains(text, known)
			}
			if said != inCheck || inStatus != (tt.note != "") {
				t.Errorf("%s, %+v: check: %q; want %q\nstatus: %s", when, tt, said, inCheck, text)
			}
		}
		if !tt.guard {
			want("without a ledger")
		}
		p.inLedger(func(l *ledger.Ledger) {
			if tt.guard {
				l.RegisterGuard(ledger.Self())
			}
		})
		want("with a ledger")
	}
}

// status says how many of those that had waited sent no message, once a guard has seen one.
func TestStatusPassed(t *testing.T) {
	p := inPlace(t, "")
	p.inLedger(func(*ledger.Ledger) {})
	if text, _ := p.says(0, "status"); strings.Contains(text, "message") {
		t.Errorf("without a guard: %s", text)
	}
	p.inLedger(func(l *ledger.Ledger) {
		l.CountPassed(true)
		l.CountPassed(false)
		l.CountPassed(false)
	})
	text, _ := p.says(0, "status")
	json, _ := p.says(0, "status", "-json")
	const line = "\n  sent no message  1 of 3 that had waited, as the guard has seen\n"
	if !strings.Contains(text, line) ||
		!strings.Contains(json, `"guard":false,"passed":{"ended":3,"silent":1}`) {
		t.Errorf("%s\n%s", text, json)
	}
}
