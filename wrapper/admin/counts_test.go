package admin

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// The text says since when it counts, what was counted in the last hour, and what went wrong. The
// JSON has the same, with a version.
func TestStatusCounts(t *testing.T) {
	p := inPlace(t, "mode observe")
	p.do(func(tx *ledger.Tx) {
		tx.Count(int(decide.Pass))
		tx.Count(int(decide.Pass))
	})
	p.inLedger(func(l *ledger.Ledger) {
		for i, trouble := range ledger.Troubles() {
			l.CountTrouble(trouble, 100+i)
		}
	})
	text, _ := p.says(0, "status")
	for _, want := range []string{
		`(?m)^mode +observe: verdicts are logged and counted, and nobody is refused$`,
		`(?m)^room +none$`,
		`(?m)^counted +since 20\d\d-\d\d-\d\d [0-9:]{8}$`,
		`(?m)^verdicts so far +since \d\d:\d\d$`,
		`(?m)^  PASS +2 +2$`, `(?m)^  DENIED +0 +0$`,
		`(?m)^  trouble +100 that could not be seen`, `(?m)^  trouble +105 that were known`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "forgotten") || strings.Contains(text, "without a record") {
		t.Errorf("nothing was\n%s", text)
	}
	var r struct {
		Version int
		Mode    string
		Since   time.Time
		Recent  struct {
			Since    time.Time
			Verdicts map[string]int
		}
		Trouble, Evicted map[string]int
	}
	text, _ = p.says(0, "status", "-json")
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		t.Fatal(err)
	}
	if r.Version != 1 || r.Mode != "observe" || time.Since(r.Since).Abs() > time.Hour ||
		time.Since(r.Recent.Since).Abs() > time.Hour || r.Recent.Verdicts["PASS"] != 2 ||
		r.Trouble["unlogged"] != 104 || r.Trouble["unrecorded"] != 0 || len(r.Evicted) != 3 {
		t.Errorf("%+v", r)
	}
}

// A ledger in which an older program has counted says nothing about the time before.
func TestStatusSinceUnknown(t *testing.T) {
	p := inPlace(t, "")
	p.inLedger(func(l *ledger.Ledger) { l.CountUnlocked(int(decide.Pass)) })
	text, _ := p.says(0, "status")
	if !regexp.MustCompile(`(?m)^verdicts so far$`).MatchString(text) ||
		strings.Contains(text, "counted") {
		t.Error(text)
	}
	if text, _ = p.says(0, "status", "-json"); !strings.Contains(text, `"since":null`) {
		t.Error(text)
	}
}

// A room says since when it runs, which version it is, and what it has open; one that is idle is
// another thing than none.
func TestStatusRoom(t *testing.T) {
	p := inPlace(t, "")
	p.room()
	p.inLedger(func(l *ledger.Ledger) { l.NoteConfigured(ledger.Self(), time.Now()) })
	text, _ := p.says(0, "status")
	got := lines(text, "room")
	want := regexp.MustCompile(`^room +process ` + strconv.Itoa(os.Getpid()) +
		` of sendwrap 1\.0, since 20\d\d-\d\d-\d\d [0-9:]{8}, configured \d+s ago, ` +
		`\d+ of \d+ descriptors$`)
	if len(got) != 1 || !want.MatchString(got[0]) {
		t.Errorf("%q", got)
	}
	var r struct{ Rooms []roomReport }
	text, _ = p.says(0, "status", "-json")
	if err := json.Unmarshal([]byte(text), &r); err != nil || len(r.Rooms) != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	if one := r.Rooms[0]; one.PID != os.Getpid() || one.Build != "1.0" || one.Configured == nil ||
		one.Descriptors < 3 || one.Limit < one.Descriptors {
		t.Errorf("%+v", one)
	}
}

// The networks with most sessions come first; those with one are not shown.
func TestStatusNetworks(t *testing.T) {
	p := inPlace(t, "count_by 24 64")
	p.enter(2, 2, time.Minute, false, false)
	p.enter(3, 3, 0, false, true)
	p.enter(4, 1, 0, false, true)
	text, _ := p.says(0, "status")
	_, list, _ := strings.Cut(text, "\nlive networks")
	want := ` +waiting +serving\n  192\.0\.3\.0/24 +0 +3\n  192\.0\.2\.0/24 +2 +0\n$`
	if !regexp.MustCompile("^" + want).MatchString(list) {
		t.Errorf("got\n%s", list)
	}
}

// The advice on the delay is about all that spoke or left within it: 97 % of them by 2 s.
func TestDelayAdvice(t *testing.T) {
	r := &report{}
	if got := r.delayAdvice(6 * time.Second); got != "" {
		t.Errorf("of nobody: %q", got)
	}
	r.Delay.Spoke, r.Delay.Left = make([]uint64, 390), make([]uint64, 390)
	r.Delay.Spoke[3], r.Delay.Left[19], r.Delay.Left[40] = 50, 47, 3
	r.Delay.Spoke[100+5] = 900 // at 15 s, when the delay was longer
	const want = "2s catches 97 % of what 6s does, and honest clients wait less"
	if got := r.delayAdvice(6 * time.Second); got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
