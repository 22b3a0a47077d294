package top

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// What is unusual is named in the first line, and the bars have the limits that hold. A bar warns
// from 80 percent on.
func TestHeader(t *testing.T) {
	at := time.Unix(1e9, 0)
	p := &Picture{Config: &config.Config{}, At: at, usable: true}
	c := p.Config
	c.MaxWaiting, c.RoomWaiting, c.MaxSessions = 100, 200, 10
	p.Totals.Waiting, p.Totals.Serving = 79, 8
	p.fillTables()
	has := func(v view, wanted bool, texts ...string) {
		t.Helper()
		all := textOf(p.frame(new(history), &v, 100, 24))
		for _, text := range texts {
			if strings.Contains(all, text) != wanted {
				t.Errorf("%q, wanted %v, in\n%s", text, wanted, all)
			}
		}
	}
	unusual := []string{"observe: nobody is refused", "room 7 for 1m30s", "stress", "paused",
		"filter 192.0", "79 of 200"}
	has(view{}, false, unusual...)
	has(view{}, true, "waiting     79 of 100", "serving      8 of 10", "no verdicts")
	styles := func() (all []style) {
		for _, l := range p.gauges(80, false) {
			all = append(all, l[1].style)
		}
		return all
	}
	if got := styles(); !slices.Equal(got, []style{served, warning}) {
		t.Errorf("styles %v", got)
	}
	c.Mode, p.Totals.Stressed = policy.Observe, true
	p.Rooms = []ledger.Room{{PID: 7, Started: at.Add(-90 * time.Second)}}
	has(view{paused: true, filter: "192.0"}, true, unusual...)
}

// The graph has refused clients below the others, and the guard's verdicts not at all: these
// clients came before. Beside it are the verdicts of the last minute, the most frequent first.
func TestGraph(t *testing.T) {
	var h history
	p := &Picture{At: time.Unix(1e9, 0)}
	h.add(p)
	count := func(seconds int, pass, busy, bad uint64) {
		for range seconds {
			p.At = p.At.Add(time.Second)
			p.Totals.Verdicts[decide.Pass] += pass
			p.Totals.Verdicts[decide.Busy] += busy
			p.Totals.Verdicts[decide.BadRcpts] += bad
			h.add(p)
		}
	}
	count(300, 0, 9, 0)
	count(65, 2, 1, 500)
	all := h.graph(80, true)
	if s := textOf(all); !strings.Contains(s, " 9.00 ") || strings.Count(s, "/s") != 3 ||
		!strings.Contains(s, "BADRCPTS500.0/s") {
		t.Errorf("not 9 a second at most, or not three verdicts:\n%s", s)
	}
	for i, want := range []string{"BADRCPTS", "PASS", "BUSY"} {
		if l := h.legend()[i]; !strings.HasPrefix(l.String(), want) {
			t.Errorf("verdict %d is %s; want %s", i, l, want)
		}
	}
	newest := func(y int) span { return all[y][len(all[y])-len(h.legend()[0])-2] }
	for y, want := range []span{3: {"#", served}, 4: {"#", refusal}} {
		if got := newest(y); y > 2 && got.style != want.style {
			t.Errorf("row %d of now is %v; want %v", y, got, want)
		}
	}
	count(int(stepTime.Seconds())*stepsKept, 1, 1, 0)
	if len(h.steps) != stepsKept {
		t.Errorf("%d steps are kept", len(h.steps))
	}
}

// What was counted while looks failed, or were paused, came at no rate.
func TestForgets(t *testing.T) {
	for name, pause := range map[string]func(u *screen){
		"failed": func(u *screen) {
			good := u.picture
			u.onLook(look{&Picture{Config: good.Config}, time.Hour})
			u.onLook(look{good, time.Hour})
		},
		"paused": func(u *screen) { press(t, u, 'p', 'p') },
	} {
		u, _ := keyed(t)
		u.history.last[decide.Pass], u.history.at = 0, u.picture.At.Add(-time.Hour)
		if pause(u); u.history.at.IsZero() || u.history.late().verdicts[decide.Pass] > 0 {
			t.Errorf("%s: %+v is counted", name, u.history.late())
		}
	}
}
