package admin

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// report is the status as programs read it; people get the same facts as text.
type report struct {
	Sessions struct {
		Waiting int `json:"waiting"`
		Serving int `json:"serving"`
	} `json:"sessions"`
	Waiting  waitReport        `json:"waiting"`
	Clients  int               `json:"clients"`
	Capacity int               `json:"capacity"`
	Blocked  int               `json:"blocked"`
	Verdicts map[string]uint64 `json:"verdicts"`
	Delay    struct {
		Spoke []uint64 `json:"spoke"`
		Left  []uint64 `json:"left"`
	} `json:"delay"`
	Stressed bool          `json:"stressed"`
	Blocks   []blockReport `json:"blocks"`
	Live     []liveReport  `json:"live"`
}

type blockReport struct {
	Network netip.Prefix `json:"network"`
	Seconds int          `json:"seconds"` // that are left
	Reason  string       `json:"reason"`
	Times   int          `json:"times"`
}

type liveReport struct {
	PID     int            `json:"pid"`
	Client  netip.AddrPort `json:"client"`
	State   string         `json:"state"` // waiting, serving
	Seconds int            `json:"seconds"`
	Left    float64        `json:"left"` // seconds that it yet has to wait; 0 = none, or that is not known
	Room    bool           `json:"room"` // its process holds others too

	left time.Duration
}

// turn says whether it has waited for as long as it had to, and waits for an MTA to be started.
func (s *liveReport) turn() bool { return s.State == waiting && s.Room && s.Left == 0 }

const (
	waiting = "waiting"
	serving = "serving"
)

// waitReport sums up those who wait.
type waitReport struct {
	Delay  int     `json:"delay"`       // how many are known to be in the greet delay
	Turn   int     `json:"turn"`        // how many wait in a room for their turn
	Next   float64 `json:"next"`        // seconds until the first delay is over
	Last   float64 `json:"last"`        // and the last
	Left   float64 `json:"left"`        // all that is left, together
	Room   bool    `json:"room"`        // there are some in a room, so that its limit holds
	Limit  int     `json:"limit"`       // which is one of the next two
	Each   int     `json:"max_waiting"` // of a process each
	InRoom int     `json:"room_max_waiting"`

	next, last time.Duration
}

// status shows what the ledger holds.
func status(c *call) error {
	flags := flag.NewFlagSet("status", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "")
	if err := c.parse(flags, 0, 0); err != nil {
		return err
	}
	cfg, _, err := c.config()
	if err != nil {
		return err
	}
	door := &wrapper.Door{Config: cfg}
	if err := c.openExisting(door); err != nil {
		return err
	}
	r, err := newReport(door.Ledger, cfg)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(c.stdout).Encode(r)
	}
	return r.print(c.stdout, cfg)
}

// newReport reads the ledger; nil is one that nobody has used yet.
func newReport(l *ledger.Ledger, cfg *config.Config) (*report, error) {
	r := &report{Verdicts: map[string]uint64{}, Blocks: []blockReport{}, Live: []liveReport{}}
	r.Waiting.Each, r.Waiting.InRoom, r.Waiting.Limit = cfg.MaxWaiting, cfg.RoomWaiting, cfg.MaxWaiting
	var totals ledger.Totals
	if l != nil {
		var live []ledger.LiveSession
		if err := l.Do(ledger.Now(), func(t *ledger.Tx) { totals, live = t.Totals(), t.Sessions() }); err != nil {
			return nil, err
		}
		blocks, err := l.Blocks(ledger.Now())
		if err != nil {
			return nil, err
		}
		r.addBlocks(blocks)
		r.addLive(live)
	}
	r.Sessions.Waiting, r.Sessions.Serving = totals.Waiting, totals.Serving
	r.Clients, r.Capacity, r.Blocked, r.Stressed = totals.Clients, totals.Capacity, len(r.Blocks), totals.Stressed
	for _, v := range wrapper.Verdicts() {
		r.Verdicts[v.String()] = totals.Verdicts[v]
	}
	r.Delay.Spoke, r.Delay.Left = append([]uint64{}, totals.Spoke...), append([]uint64{}, totals.Left...)
	return r, nil
}

func (r *report) addBlocks(blocks []ledger.BlockedNetwork) {
	slices.SortFunc(blocks, func(a, b ledger.BlockedNetwork) int { return cmp.Compare(a.Left, b.Left) })
	for _, b := range blocks {
		r.Blocks = append(r.Blocks, blockReport{b.Network, int(b.Left.Seconds()), b.Reason, b.Times})
	}
}

func (r *report) addLive(live []ledger.LiveSession) {
	slices.SortFunc(live, func(a, b ledger.LiveSession) int { return cmp.Compare(b.Age, a.Age) })
	w := &r.Waiting
	if w.Room = anyShared(live); w.Room {
		w.Limit = w.InRoom
	}
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

// print writes the report for a person.
func (r *report) print(out io.Writer, cfg *config.Config) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	crowded := ""
	if r.Stressed {
		crowded = " (stress: the greet delay is shortened)"
	}
	fmt.Fprintf(w, "waiting\t%d of %d%v%s\n", r.Sessions.Waiting, r.Waiting.Limit, &r.Waiting, crowded)
	fmt.Fprintf(w, "serving\t%d of %d\n", r.Sessions.Serving, cfg.MaxSessions)
	fmt.Fprintf(w, "clients\t%d of %d\n", r.Clients, r.Capacity)
	fmt.Fprintf(w, "blocked\t%d\n", r.Blocked)
	fmt.Fprintf(w, "mode\t%v\n", cfg.Mode)
	fmt.Fprintf(w, "\nverdicts so far\n")
	for _, v := range wrapper.Verdicts() {
		fmt.Fprintf(w, "  %v\t%d\n", v, r.Verdicts[v.String()])
	}
	printDelay(w, "spoke", r.Delay.Spoke)
	printDelay(w, "left", r.Delay.Left)
	if len(r.Blocks) > 0 {
		fmt.Fprintf(w, "\nblocks\tleft\ttimes\treason\n")
		for _, b := range r.Blocks {
			fmt.Fprintf(w, "  %v\t%v\t%d\t%s\n", b.Network, wrapper.Seconds(time.Duration(b.Seconds)*time.Second), b.Times, b.Reason)
		}
	}
	r.printLive(w)
	return w.Flush()
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
			fmt.Fprintf(w, "  %v\t%d\t%s\t%v%s\n", s.Client, s.PID, s.State, wrapper.Seconds(time.Duration(s.Seconds)*time.Second), s.rest())
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
	return wrapper.Seconds(d)
}

// printDelay says by when half, most and nearly all of the clients had spoken or left, from
// which a greet delay can be chosen.
func printDelay(w io.Writer, what string, cells []uint64) {
	var sum uint64
	for _, n := range cells {
		sum += n
	}
	if sum == 0 {
		return
	}
	fmt.Fprintf(w, "  %s within the delay\t%d", what, sum)
	for _, percent := range []uint64{50, 90, 99} {
		var n uint64
		for i := range cells {
			if n += cells[i]; n*100 >= sum*percent {
				fmt.Fprintf(w, "%s%d %% by %v", map[bool]string{true: ": ", false: ", "}[percent == 50], percent, ledger.DelayStep(i+1))
				break
			}
		}
	}
	fmt.Fprintln(w)
}
