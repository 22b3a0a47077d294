package admin

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// liveReport is a session as programs read it.
type liveReport struct {
	PID     int            `json:"pid"`
	Client  netip.AddrPort `json:"client"`
	State   string         `json:"state"` // waiting, serving
	Seconds int            `json:"seconds"`
	Left    float64        `json:"left"` // seconds that it yet has to wait; 0 = none, or that is not known
	Room    bool           `json:"room"` // its process holds others too

	left time.Duration
}

const (
	waiting = "waiting"
	serving = "serving"
)

// turn says whether it has waited for as long as it had to, and waits for an MTA to be started.
func (s *liveReport) turn() bool { return s.State == waiting && s.Room && s.Left == 0 }

// waitReport sums up those who wait.
type waitReport struct {
	Delay  int     `json:"delay"`       // how many are known to be in the greet delay
	Turn   int     `json:"turn"`        // how many wait in a room for their turn
	Next   float64 `json:"next"`        // seconds until the first delay is over
	Last   float64 `json:"last"`        // and the last
	Left   float64 `json:"left"`        // all that is left, together
	Room   bool    `json:"room"`        // there is a room, so that its limit holds
	Limit  int     `json:"limit"`       // which is one of the next two
	Each   int     `json:"max_waiting"` // of a process each
	InRoom int     `json:"room_max_waiting"`

	next, last time.Duration
}

func (r *report) addLive(live []ledger.LiveSession) {
	slices.SortFunc(live, func(a, b ledger.LiveSession) int { return cmp.Compare(b.Age, a.Age) })
	w := &r.Waiting
	var left time.Duration
	for _, s := range live {
		one := liveReport{
			PID: s.Process.PID, Client: s.Client, State: waiting, Seconds: int(s.Age.Seconds()),
			Left: s.Left.Seconds(), Room: s.Process.Shared, left: s.Left,
		}
		if s.Serving {
			one.State = serving
		}
		r.Live = append(r.Live, one)
		switch {
		case one.turn():
			w.Turn++
		case s.Left > 0:
			if w.Delay++; w.Delay == 1 || s.Left < w.next {
				w.next = s.Left
			}
			w.last = max(w.last, s.Left)
			left += s.Left
		}
	}
	w.Next, w.Last, w.Left = w.next.Seconds(), w.last.Seconds(), left.Seconds()
}

// mostLive is how many sessions are shown to a person; a crowd that waits would be longer than any screen.
const mostLive = 20

// printLive lists those who are served, then those who wait, each from the oldest on.
func (r *report) printLive(w io.Writer) {
	if len(r.Live) == 0 {
		return
	}
	left := ""
	if r.Sessions.Waiting > 0 {
		left = "\tleft"
	}
	fmt.Fprintf(w, "\nlive\tpid\tstate\tfor%s\n", left)
	shown := 0
	for _, state := range []string{serving, waiting} {
		for i := range r.Live {
			s := &r.Live[i]
			if s.State != state || shown == mostLive {
				continue
			}
			shown++
			fmt.Fprintf(w, "  %v\t%d\t%s\t%v%s\n", s.Client, s.PID, s.State, decide.Seconds(time.Duration(s.Seconds)*time.Second), s.rest())
		}
	}
	if more := len(r.Live) - shown; more > 0 {
		fmt.Fprintf(w, "  … and %d more; see status -json\n", more)
	}
}

// rest is the last column: what there is yet to wait.
func (s *liveReport) rest() string {
	switch {
	case s.turn():
		return "\tits turn"
	case s.left > 0:
		return "\t" + tenths(s.left)
	}
	return ""
}

// String says for how long they wait, as it stands behind their number.
func (w *waitReport) String() string {
	text := ""
	switch {
	case w.Delay == 1:
		text = ", for " + tenths(w.last)
	case w.Delay > 1:
		text = fmt.Sprintf(", the next for %s, the last for %s", tenths(w.next), tenths(w.last))
	}
	if w.Turn > 0 {
		text += fmt.Sprintf(", %d for their turn", w.Turn)
	}
	return text
}

// tenths is a duration for people who watch it: to a tenth of a second below 10 s.
func tenths(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	}
	return decide.Seconds(d)
}
