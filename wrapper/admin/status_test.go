package admin

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// The line about waiting sessions says how long they still wait, and which limit holds.
func TestStatusWaiting(t *testing.T) {
	const conf = "max_waiting 700 room=900"
	tests := []struct {
		name string
		come func(p *place)
		want string // a regular expression
	}{
		{"no ledger", func(p *place) {}, `ledger  none yet: the first client makes /\S+/ledger`},
		{"nobody", func(p *place) { p.inLedger(func(*ledger.Ledger) {}) }, `waiting   0 of 700`},
		{"one", func(p *place) { p.enter(2, 1, 90*time.Second, false, false) },
			`waiting   1 of 700, for <90s>`},
		{"several", func(p *place) {
			p.enter(2, 3, 200*time.Second, false, false)
			p.enter(3, 2, 100*time.Second, false, false)
		}, `waiting   5 of 700, the next for <100s>, the last for <200s>`},
		{"without a known delay", func(p *place) { p.enter(2, 1, 0, false, false) },
			`waiting   1 of 700`},
		{"a room", func(p *place) {
			p.enter(2, 3, 200*time.Second, true, false)
			p.enter(3, 2, 0, true, false)
		}, `waiting   5 of 900, the next for <200s>, the last for <200s>, 2 for their turn`},
		{"a room where all have waited", func(p *place) { p.enter(2, 3, 0, true, false) },
			`waiting   3 of 900, 3 for their turn`},
		{"a room's MTAs", func(p *place) { p.enter(2, 3, 0, false, true) }, `waiting   0 of 700`},
		{"stress", func(p *place) { p.enter(2, 200, 200*time.Second, false, false) },
			`waiting   200 of 200, the next for <200s>, the last for <200s> ` +
				`\(stress: the greet delay is shortened\) ` +
				`\(full: all but known and allowed clients get 421\)`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := inPlace(t, conf)
			if tt.name == "stress" {
				p = inPlace(t, "max_waiting 200")
			}
			began := time.Now()
			tt.come(p)
			if tt.name == "stress" { // it is noticed by who comes next
				p.says(0, "check", "198.51.100.1")
			}
			text, _ := p.says(0, "status")
			first, _, _ := strings.Cut(text, "\n")
			shows(t, first, tt.want, began)
		})
	}
}

func TestTenths(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 99 * time.Millisecond: "0.0s", 8 * time.Second: "8.0s",
		10*time.Second - 1: "9.9s",
		10 * time.Second:   "10s", 90*time.Second - 1: "1m29s", 2 * time.Hour: "2h",
	} {
		if got := tenths(d); got != want {
			t.Errorf("%v is shown as %s; want %s", d, got, want)
		}
	}
}

// The list is aligned, says how long sessions still wait, and is never long.
func TestStatusLive(t *testing.T) {
	p := inPlace(t, "")
	began := time.Now()
	p.enter(2, 2, 200*time.Second, true, false)
	p.enter(3, 1, 0, true, false)
	p.enter(4, 1, 0, false, true)
	text, _ := p.says(0, "status")
	_, list, _ := strings.Cut(text, "\nlive")
	want := ` +pid +state +for +left
  192\.0\.4\.0:1024  \d+ +serving  <age>
  192\.0\.2\.[01]:102[45]  \d+ +waiting  <age> +<200s>
  192\.0\.2\.[01]:102[45]  \d+ +waiting  <age> +<200s>
  192\.0\.3\.0:1024  \d+ +waiting  <age> +its turn
`
	sorted := regexp.MustCompile(`(?m)^  192\.0\.[23].*\n`)
	rest := sorted.FindAllString(list, -1)
	head := sorted.ReplaceAllString(list, "")
	if len(rest) != 3 {
		t.Fatalf("%d wait in\n%s", len(rest), list)
	}
	// Of sessions of the same millisecond any may be first.
	for i, line := range rest {
		if strings.Contains(line, "192.0.3.") {
			rest = append(append(rest[:i:i], rest[i+1:]...), line)
			break
		}
	}
	shows(t, head+strings.Join(rest, ""), want, began)

	p.enter(5, 250, 4*time.Minute, true, false)
	text, _ = p.says(0, "status")
	_, list, _ = strings.Cut(text, "\nlive")
	if n := strings.Count(list, "\n"); n != maxLive+2 {
		t.Errorf("%d lines; want %d\n%s", n, maxLive+2, list)
	}
	if !strings.HasSuffix(list, "\n  … and 234 more; see status -json\n") ||
		!strings.Contains(list, "192.0.4.0:1024") {
		t.Errorf("got\n%s", list)
	}
	for line := range strings.Lines(text) {
		if strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("%q ends in blanks", line)
		}
	}
}

// If no session waits, there is no column for it.
func TestStatusLiveServing(t *testing.T) {
	p := inPlace(t, "")
	p.enter(4, 1, 0, false, true)
	text, _ := p.says(0, "status")
	if got := lines(text, "live"); len(got) != 1 || strings.Contains(got[0], "left") {
		t.Errorf("got %q", got)
	}
}

// The limit of waiting sessions is the room's if there is a room, even an empty one.
func TestStatusOfAnEmptyRoom(t *testing.T) {
	p := inPlace(t, "max_waiting 700 room=900")
	p.enter(4, 1, 0, false, true)
	for _, want := range []string{"waiting   0 of 700", "waiting   0 of 900"} {
		if text, _ := p.says(0, "status"); lines(text, "waiting")[0] != want {
			t.Errorf("want %q\n%s", want, text)
		}
		p.room()
	}
}

// When a limit is reached, status says what happens to the next client.
func TestStatusWhenFull(t *testing.T) {
	p := inPlace(t, "max_sessions 4\nmax_waiting 3\nreserve 25%")
	p.enter(2, 3, time.Hour, false, false)
	p.enter(3, 3, 0, false, true)
	const none = " of 4 (full: all but allowed clients read 421"
	for _, tt := range []struct{ line, waiting, serving string }{
		{"", "(full: all but known and allowed clients get 421)", "(scarce: a network may have " +
			"10; the last are for known clients, and for networks with none)"},
		{"", "", none + " unless a session is idle for 1m)"},
		{"max_idle 0\nmax_waiting 9", "", none + ")"},
	} {
		if tt.line != "" {
			p.write(strings.Replace(p.read(), "max_waiting 3", tt.line, 1))
		}
		text, _ := p.says(0, "status")
		waiting, serving := lines(text, "waiting")[0], lines(text, "serving")[0]
		if !strings.HasSuffix(waiting, tt.waiting) || !strings.HasSuffix(serving, tt.serving) ||
			tt.line != "" && strings.Contains(waiting, "full") {
			t.Errorf("want %s, %s\n%s", tt.waiting, tt.serving, text)
		}
		p.enter(4, 1, 0, false, true)
	}
}

func TestStatusJSON(t *testing.T) {
	type wait struct {
		Delay, Turn      int
		Next, Last, Left float64
		Room             bool
		Limit            int
		Each             int `json:"max_waiting"`
		InRoom           int `json:"room_max_waiting"`
	}
	var got struct {
		Sessions map[string]int
		Waiting  wait
		Blocks   []struct {
			Network, Reason string
			Seconds, Times  int
		}
		Live []struct {
			PID   int
			State string
			Left  *float64
			Room  *bool
		}
	}
	read := func(p *place) {
		t.Helper()
		text, _ := p.says(0, "status", "-json")
		got.Live, got.Blocks = nil, nil
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	p := inPlace(t, "max_waiting 700 room=900")
	read(p)
	if want := (wait{Limit: 700, Each: 700, InRoom: 900}); got.Waiting != want {
		t.Errorf("before the first client: got %+v; want %+v", got.Waiting, want)
	}
	began := time.Now()
	p.enter(2, 200, 200*time.Second, true, false)
	p.enter(3, 2, 100*time.Second, false, false)
	p.enter(4, 3, 0, true, false)
	p.enter(5, 4, 0, false, true)
	p.blocked("203.0.113.0/24", time.Hour, "x")
	read(p)
	w, past := got.Waiting, time.Since(began).Seconds()
	for _, left := range []struct{ got, of, each float64 }{
		{w.Next, 100, 1}, {w.Last, 200, 1}, {w.Left, 200*200 + 2*100, 202},
	} {
		if left.got > left.of || left.got < left.of-left.each*(past+0.01) {
			t.Errorf("%v left after %.2fs; want less than %v, by no more than has passed: %+v",
				left.got, past, left.of, w)
		}
	}
	w.Next, w.Last, w.Left = 0, 0, 0
	want := wait{Delay: 202, Turn: 3, Room: true, Limit: 900, Each: 700, InRoom: 900}
	if w != want {
		t.Errorf("got %+v; want %+v", w, want)
	}
	if len(got.Blocks) != 1 || got.Blocks[0].Network != "203.0.113.0/24" ||
		got.Blocks[0].Reason != "x" || got.Blocks[0].Times != 1 ||
		got.Blocks[0].Seconds > 3600 || got.Blocks[0].Seconds < 3599-int(past) {
		t.Errorf("after %.2fs: blocks %+v", past, got.Blocks)
	}
	if len(got.Live) != 209 || got.Sessions["waiting"] != 205 || got.Sessions["serving"] != 4 {
		t.Errorf("%d live, sessions %v", len(got.Live), got.Sessions)
	}
	for _, s := range got.Live {
		if s.PID != os.Getpid() || s.Left == nil || s.Room == nil ||
			s.State == serving && *s.Left != 0 {
			t.Errorf("live %+v", s)
		}
	}
}
