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

// The advice is for the delay that the clients suggest, and says if that cannot be known.
func TestAdvice(t *testing.T) {
	spoke := func(times ...time.Duration) []uint64 {
		cells := make([]uint64, 390)
		for _, d := range times {
			for i := len(cells) - 1; i >= 0; i-- {
				if ledger.DelayStep(i) <= d {
					cells[i] += 20
					break
				}
			}
		}
		return cells
	}
	const ms = time.Millisecond
	for _, tt := range []struct {
		spoke []uint64
		delay time.Duration
		want  string
	}{
		{spoke(), 6 * time.Second, ""},
		{spoke(100*ms, 200*ms), 6 * time.Second, ""}, // too few
		{spoke(100*ms, 200*ms, 300*ms), 6 * time.Second, "1s would catch 97 %"},
		{spoke(100*ms, 200*ms, 2050*ms), 6 * time.Second, "3s would catch 97 %"},
		{spoke(100*ms, 200*ms, 4100*ms), 6 * time.Second, "5s would catch 97 %"},
		{spoke(100*ms, 200*ms, 5500*ms), 6 * time.Second, "many spoke near the end of 6s"},
		{spoke(100*ms, 200*ms, 750*ms), time.Second, "1s is right"},
		{spoke(100*ms, 200*ms, 20*time.Second), 35 * time.Second, "21s would catch"},
	} {
		got := advice(tt.spoke, tt.delay)
		if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("a delay of %v: %q; want %q", tt.delay, got, tt.want)
		}
	}
}
