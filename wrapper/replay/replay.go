package replay

import (
	"container/heap"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/maillog"
)

// Options say what is replayed.
type Options struct {
	loglines.Sources
	Config  *config.Config // that is tried; some of it is changed for that
	File    string         // its name
	Room    bool           // the log is that of a room, and the limits of one hold
	Session time.Duration  // how long a session lasts if no line tells its end
}

// replay is under way.
type replay struct {
	Options
	door    *wrapper.Door
	result  *Result
	events  events
	order   int    // number of the last event
	started moment // of the clock
	clock   moment
	lines   int
	last    moment        // of the line before, shifted
	shift   time.Duration // by which times are later than in the log, whose clock went back
	table   [decide.NumVerdicts][decide.NumVerdicts]int
	living
	memory
	changes
	named   []bool // lists that a line names
	missing map[string]bool
}

// How far events are apart: a line is written up to ahead after its client came. With maxEvents the
// earliest are done sooner.
const (
	ahead     = 5 * time.Minute
	maxEvents = 1 << 17
	maxBack   = time.Minute // lines of several processes may be in a wrong order
)

// A line must be of these years: a moment, and the ledger's clock, have bounds.
const firstYear, lastYear = 1990, 2200

// Run replays the logs. What cannot be read is in the result; an error says that nothing could, or
// that there is no place for a ledger.
func Run(o Options) (*Result, error) {
	r := &replay{Options: o, missing: map[string]bool{}, named: make([]bool, len(o.Config.Lists))}
	r.result = &Result{Version: Version, File: o.File, Zone: o.Zone, session: o.Session}
	r.living, r.memory, r.changes = newLiving(), newMemory(), newChanges()
	if err := r.open(); err != nil {
		return nil, err
	}
	defer r.door.Ledger.Close()
	unread, err := o.Sources.Read(time.Time{}, r.line)
	if err != nil {
		return nil, err
	}
	for len(r.events) > 0 {
		r.next()
	}
	unread.Garbled += r.result.Unreadable.Garbled
	unread.Lines += r.result.Unreadable.Lines
	r.result.Unreadable = unread
	r.finish()
	return r.result, nil
}

// open makes the door, with a ledger of its own, which ends with this process.
func (r *replay) open() error {
	dir, err := os.MkdirTemp("", "sendwrap-replay-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c := &r.Config.Settings
	c.Ledger.Path = filepath.Join(dir, "ledger")
	if r.Room {
		c.MaxWaiting = c.RoomWaiting
	}
	r.door = wrapper.NewDoor(r.Config.Policy(), maillog.Log{})
	r.door.Process = ledger.Process{PID: os.Getpid()} // its start is not compared
	l := &r.door.Ledger
	l.Clock = r.moment
	l.Path, l.Clients = c.Ledger.Path, c.Ledger.Clients
	return l.Open()
}

// moment is the ledger's clock. Its epoch is a day before the log.
func (r *replay) moment() ledger.Moment {
	const day = 24 * time.Hour
	return ledger.Moment{Boot: day + time.Duration(r.clock-r.started), Wall: r.clock.time()}
}

// line takes a line of the log.
func (r *replay) line(l *loglines.Line) {
	if year := l.Time.Year(); year < firstYear || year > lastYear {
		r.result.Unreadable.Lines++
		return
	}
	at := moment(l.Time.UnixNano())
	if r.lines++; r.lines == 1 {
		r.started, r.clock = at.after(-maxWait), at.after(-maxWait)
		r.result.From, r.result.Untold.Seconds = l.Time, true
	}
	if len(l.Newer()) > 0 {
		r.result.Untold.Newer++
	}
	r.result.Until = l.Time
	if l.Time.Nanosecond() != 0 {
		r.result.Untold.Seconds = false
	}
	if at = at.after(r.shift); at < r.last.after(-maxBack) {
		r.result.Untold.Back++
		r.shift += time.Duration(r.last - at)
		at = r.last
	}
	r.last = max(r.last, at)
	switch v, isVerdict := loglines.VerdictOf(l.Word); {
	case !isVerdict:
		r.otherLine(l, at)
	case !l.Has("server"):
		r.guardLine(l, at)
	case v == decide.Failed:
		r.result.Untold.Failed++
	default:
		r.connection(l, v, at)
	}
	for len(r.events) > 0 && (r.events[0].at <= r.last.after(-ahead) ||
		len(r.events) > maxEvents) {
		r.next()
	}
}

// connection takes the line of a connection.
func (r *replay) connection(l *loglines.Line, then decide.Verdict, at moment) {
	v, ok := r.newVisit(l, then)
	if !ok {
		r.result.Unreadable.Garbled++
		return
	}
	v.logged = at
	r.later(at.after(-v.total()), v.number, func() { r.arrive(v) })
	if v.counted {
		r.later(at, v.number, func() { r.waitEnds(v) })
	}
}

// event is something that happens. Of two at a time, that of the earlier line comes first, and of
// one line that which was added first.
type event struct {
	at            moment
	number, order int
	do            func()
}

// later has something done when it is time.
func (r *replay) later(at moment, number int, do func()) {
	r.order++
	heap.Push(&r.events, event{at, number, r.order, do})
}

// next does what comes next. The clock never goes back.
func (r *replay) next() {
	e := heap.Pop(&r.events).(event)
	r.clock = max(r.clock, e.at)
	e.do()
}

// events is a heap.
type events []event

func (e events) Len() int      { return len(e) }
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }

func (e events) Less(i, j int) bool {
	a, b := &e[i], &e[j]
	if a.at != b.at {
		return a.at < b.at
	}
	if a.number != b.number {
		return a.number < b.number
	}
	return a.order < b.order
}

func (e *events) Pop() any {
	last := len(*e) - 1
	x := (*e)[last]
	(*e)[last] = event{}
	*e = (*e)[:last]
	return x
}

// network is under which the client is counted.
func (r *replay) network(v *visit) netip.Prefix { return r.door.Network(v.client.Addr()) }
