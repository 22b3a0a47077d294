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
	Left    float64        `json:"left"` // seconds still to wait; 0 = none, or not known
	Room    bool           `json:"room"` // its process has other clients, too

	left time.Duration
}

const (
	waiting = "waiting"
	serving = "serving"
)

// queued reports whether the session's delay is over, and it waits for its turn to get an MTA.
func (s *liveReport) queued() bool { return s.State == waiting && s.Room && s.Left == 0 }

// waitReport sums up the sessions that wait.
type waitReport struct {
	Delay  int     `json:"delay"`       // sessions known to be in the greet delay
	Turn   int     `json:"turn"`        // sessions in a room that wait for their turn
	Next   float64 `json:"next"`        // seconds until the first delay is over
	Last   float64 `json:"last"`        // seconds until the last is
	Left   float64 `json:"left"`        // seconds left of all delays together
	Room   bool    `json:"room"`        // there is a room, so that its limit holds
	Limit  int     `json:"limit"`       // one of the next two
	Each   int     `json:"max_waiting"` // of per-connection processes
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
		case one.queued():
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

// maxLive is how many sessions the text shows: in a flood there are more than fit a screen.
const maxLive = 20

// printLive lists the sessions that are served, then those that wait, the oldest first.
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
			if s.State != state || shown == maxLive {
				continue
			}
			shown++
			age := decide.Seconds(time.Duration(s.Seconds) * time.Second)
			fmt.Fprintf(w, "  %v\t%d\t%s\t%v%s\n", s.Client, s.PID, s.State, age, s.rest())
		}
	}
	if more := len(r.Live) - shown; more > 0 {
		fmt.Fprintf(w, "  … and %d more; see status -json\n", more)
	}
}

// rest is the last column: how long the session still waits.
func (s *liveReport) rest() string {
	switch {
	case s.queued():
		return "\tits turn"
	case s.left > 0:
		return "\t" + tenths(s.left)
	}
	return ""
}

// String says how long the sessions wait. It follows their number.
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

// tenths formats a duration that people watch: below 10 s to a tenth of a second.
func tenths(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Truncate(100*time.Millisecond).Seconds())
	}
	return decide.Seconds(d)
}
