package admin

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// report is the status as JSON. The text has the same facts.
type report struct {
	Version  int          `json:"version"` // of this object: see statusVersion
	Mode     string       `json:"mode"`
	Ledger   bool         `json:"ledger"` // there is one, so that something was counted
	Since    *time.Time   `json:"since"`  // when the counts began; nil = not known
	Recent   recentReport `json:"recent"`
	Rooms    []roomReport `json:"rooms"`
	Sessions struct {
		Waiting int `json:"waiting"`
		Serving int `json:"serving"`
	} `json:"sessions"`
	Waiting  waitReport                `json:"waiting"`
	Clients  int                       `json:"clients"`
	Capacity int                       `json:"capacity"`
	Blocked  int                       `json:"blocked"`
	Verdicts map[string]uint64         `json:"verdicts"`
	Observed map[string]observedReport `json:"observed"` // of Verdicts
	Delay    struct {
		Spoke []uint64 `json:"spoke"`
		Left  []uint64 `json:"left"`
	} `json:"delay"`
	Stressed bool          `json:"stressed"`
	Open     openReport    `json:"open"`
	Trouble  troubleReport `json:"trouble"`
	Evicted  evictedReport `json:"evicted"`
	Idle     uint64        `json:"idle"` // sessions ended to make room
	Guard    bool          `json:"guard"`
	Passed   passedReport  `json:"passed"`
	Blocks   []blockReport `json:"blocks"`
	Live     []liveReport  `json:"live"`

	Networks []networkReport `json:"networks"` // of Live, those with most sessions first

	Lists   []listReport `json:"lists"`
	Lookups lookupReport `json:"lookups"`

	Sharing *sharingReport `json:"sharing"` // nil = not with other machines
}

// openReport counts the clients that met no limits, because another process held the ledger.
type openReport struct {
	Stopped uint64 `json:"stopped"`
	Held    uint64 `json:"held"`
	Crowded uint64 `json:"crowded"`
}

type blockReport struct {
	Network netip.Prefix `json:"network"`
	Seconds int          `json:"seconds"` // that are left
	Reason  string       `json:"reason"`
	From    string       `json:"from,omitempty"` // the machine that has begun it, unless this one
	Times   int          `json:"times"`
	Hint    string       `json:"hint,omitempty"` // what to do if it has hit an honest client
}

// because is a reason with the machine that it comes from.
func because(reason, from string) string {
	if from == "" {
		return reason
	}
	return reason + " from=" + from
}

func newBlockReport(b ledger.BlockedNetwork) blockReport {
	return blockReport{b.Network, int(b.Left.Seconds()), b.Reason, b.From, b.Times,
		decide.Hint(b.Reason)}
}

// passedReport counts sessions of clients that had waited, as guards have seen them end.
type passedReport struct {
	Ended  uint64 `json:"ended"`
	Silent uint64 `json:"silent"` // without a message
}

// status shows what the ledger has.
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
	door := &configured{&wrapper.Door{Policy: cfg.Policy()}, cfg}
	if err := c.openExisting(door); err != nil {
		return err
	}
	r, err := newReport(door.Ledger.Ledger, cfg)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(c.stdout).Encode(r)
	}
	return r.print(c.stdout, cfg)
}

// statusVersion changes when a member of the object changes its meaning or goes away.
const statusVersion = 1

// newReport reads the ledger; nil is a ledger before its first use.
func newReport(l *ledger.Ledger, cfg *config.Config) (*report, error) {
	r := &report{Version: statusVersion, Mode: cfg.Mode.String(), Verdicts: map[string]uint64{},
		Blocks: []blockReport{}, Live: []liveReport{}, Lists: []listReport{},
		Rooms: []roomReport{}, Networks: []networkReport{}}
	w := &r.Waiting
	w.Each, w.InRoom, w.Limit = cfg.MaxWaiting, cfg.RoomWaiting, cfg.MaxWaiting
	var totals ledger.Totals
	if r.Ledger = l != nil; r.Ledger {
		var live []ledger.LiveSession
		var err error
		now := ledger.Now()
		if totals, live, err = l.Report(now); err != nil {
			return nil, err
		}
		blocks, err := l.Blocks(now)
		if err != nil {
			return nil, err
		}
		r.Guard = l.HasGuard()
		r.addRooms(l.Rooms(now))
		if r.Waiting.Room = len(r.Rooms) > 0; r.Waiting.Room {
			r.Waiting.Limit = cfg.RoomWaiting
		}
		r.addBlocks(blocks)
		r.addLive(live)
		r.addNetworks(cfg.Policy())
		r.addSharing(l)
	}
	r.Sessions.Waiting, r.Sessions.Serving = totals.Waiting, totals.Serving
	r.Clients, r.Capacity, r.Blocked = totals.Clients, totals.Capacity, len(r.Blocks)
	r.Stressed, r.Idle = totals.Stressed, totals.Idle
	r.Passed = passedReport{totals.Passed, totals.Silent}
	r.Open = openReport{
		totals.Open[ledger.HeldByStopped], totals.Open[ledger.HeldTooLong],
		totals.Open[ledger.Crowded],
	}
	for _, v := range decide.Verdicts() {
		r.Verdicts[v.String()] = totals.Verdicts[v]
	}
	r.addCounts(&totals)
	r.addObserved(&totals)
	r.Delay.Spoke = append([]uint64{}, totals.Spoke...)
	r.Delay.Left = append([]uint64{}, totals.Left...)
	return r, r.addLists(l, cfg)
}

func (r *report) addBlocks(blocks []ledger.BlockedNetwork) {
	slices.SortFunc(blocks, func(a, b ledger.BlockedNetwork) int {
		return cmp.Compare(a.Left, b.Left)
	})
	for _, b := range blocks {
		r.Blocks = append(r.Blocks, newBlockReport(b))
	}
}

// print writes the report as text.
func (r *report) print(out io.Writer, cfg *config.Config) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	if r.Ledger {
		r.printPlaces(w, cfg)
	} else {
		fmt.Fprintf(w, "ledger\tnone yet: the first client makes %s\n", cfg.Ledger.Path)
	}
	fmt.Fprintf(w, "mode\t%v: %s\n", cfg.Mode, modeMeans(&cfg.Settings))
	r.printRooms(w)
	if note := guardNote(cfg, r.Guard); note != "" {
		lines := folded("remember_after mail, but " + note)
		fmt.Fprintf(w, "known\t%s\n", strings.Join(lines, "\n\t"))
	}
	if r.Ledger {
		r.printCounts(w, cfg)
	}
	return w.Flush()
}

// printPlaces prints how full everything is.
func (r *report) printPlaces(w io.Writer, cfg *config.Config) {
	state := ""
	if r.Stressed {
		state = " (stress: the greet delay is shortened)"
	}
	if r.Sessions.Waiting >= r.Waiting.Limit {
		state += " (full: all but known and allowed clients get 421)"
	}
	fmt.Fprintf(w, "waiting\t%d of %d%v%s\n",
		r.Sessions.Waiting, r.Waiting.Limit, &r.Waiting, state)
	fmt.Fprintf(w, "serving\t%d of %d%s\n",
		r.Sessions.Serving, cfg.MaxSessions, decide.PlacesLeft(&cfg.Settings, r.Sessions.Serving))
	fmt.Fprintf(w, "networks\t%d of %d\n", r.Clients, r.Capacity)
	fmt.Fprintf(w, "blocked\t%d\n", r.Blocked)
}

// printCounts prints what was counted, and what goes on.
func (r *report) printCounts(w io.Writer, cfg *config.Config) {
	r.printVerdicts(w)
	if o := r.Open; o != (openReport{}) {
		fmt.Fprintf(w, "  without limits\t%d while a stopped process held the ledger, "+
			"%d while another did,\n\t%d known in a crowd\n", o.Stopped, o.Held, o.Crowded)
	}
	r.printTroubles(w)
	if r.Idle > 0 {
		fmt.Fprintf(w, "  ended while idle\t%d, to make room\n", r.Idle)
	}
	if p := r.Passed; p.Ended > 0 {
		fmt.Fprintf(w, "  sent no message\t%d of %d that had waited, as the guard has seen\n",
			p.Silent, p.Ended)
	}
	printDelay(w, "spoke", r.Delay.Spoke)
	printDelay(w, "left", r.Delay.Left)
	if text := r.delayAdvice(cfg.GreetDelay); text != "" {
		fmt.Fprintf(w, "  greet_delay\t%s\n", text)
	}
	r.printObserved(w, cfg)
	if len(r.Blocks) > 0 {
		fmt.Fprintf(w, "\nblocks\tleft\ttimes\treason\n")
		for _, b := range r.Blocks {
			left := decide.Seconds(time.Duration(b.Seconds) * time.Second)
			fmt.Fprintf(w, "  %v\t%v\t%d\t%s\n", b.Network, left, b.Times,
				because(b.Reason, b.From))
		}
	}
	r.printHints(w)
	r.printLists(w, cfg)
	r.Sharing.print(w)
	r.printLive(w)
	r.printNetworks(w)
}

// printHints says once for each reason of a block what to do if the client is honest.
func (r *report) printHints(w io.Writer) {
	var printed []string
	for _, b := range r.Blocks {
		if b.Hint == "" || slices.Contains(printed, b.Reason) {
			continue
		}
		if len(printed) == 0 {
			fmt.Fprintf(w, "\nif it is an honest client\n")
		}
		printed = append(printed, b.Reason)
		fmt.Fprintf(w, "  %s\t%s\n", b.Reason, strings.Join(folded(b.Hint), "\n\t"))
	}
}
