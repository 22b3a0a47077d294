package replay

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sendwrap/wrapper"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
)

// visit is a connection: what its line says, and what becomes of it now.
type visit struct {
	number   int // of the line
	logged   moment
	client   netip.AddrPort
	then     decide.Verdict
	waited   time.Duration
	delay    time.Duration // for which it had to wait then
	turn     time.Duration
	counted  bool // the ledger had counted it then
	others   int  // sessions of its network beside it then; -1 = not known
	serving  int  // MTAs in session then, and the limit; 0 = not known
	most     int
	struck   bool
	blocked  netip.Prefix  // the network with the block that refused it, or that it caused
	left     time.Duration // of that block
	reason   string
	past     wrapper.Past
	heard    lookup.Result
	inquired bool // what DNS says was known when it came
	text     string

	session *wrapper.Session
	now     decide.Verdict // Undecided: it would have had to wait, and that is all we know
	decided bool
	alive   bool // its session went on, then
	serves  bool // with an MTA
}

// moment is a time of the log, in ns since 1970.
type moment int64

func (m moment) after(d time.Duration) moment { return m + moment(d) }

func (m moment) time() time.Time { return time.Unix(0, int64(m)) }

// total is how long it was between its arrival and its verdict.
func (v *visit) total() time.Duration { return v.waited + v.turn }

// did is what the client did within its wait.
func (v *visit) did() decide.Greet {
	switch v.then {
	case decide.Pregreet:
		return decide.Spoke
	case decide.Hangup:
		return decide.Left
	}
	return decide.Quiet
}

// maxWait bounds what a line can say of a wait: the longest delay and a long turn.
const maxWait = time.Hour

// newVisit reads the line of a connection. ok is false if it has not what every such line has.
func (r *replay) newVisit(l *loglines.Line, then decide.Verdict) (v *visit, ok bool) {
	v = &visit{number: r.lines, then: then, others: -1, text: l.Whole}
	if v.client, ok = l.ClientPort(); !ok || !strings.Contains(l.Get("server"), "]:") {
		return nil, false // it was cut
	}
	waited, delay, waits := l.DurationOf("wait")
	turn, _ := l.Duration("turn")
	v.waited, v.delay, v.turn = min(waited, maxWait), min(delay, maxWait), min(turn, maxWait)
	v.inquired = !waits
	if v.serving, v.most, ok = l.IntOf("serving"); ok {
		r.most = v.most
	}
	if load, _, ok := strings.Cut(l.Get("load"), "/"); ok {
		v.past.Load, _ = strconv.ParseFloat(load, 64)
	}
	v.past.Kind, _ = policy.KindOf(l.Get("kind"))
	v.struck = l.Has("strikes")
	v.left, _ = l.Duration("left")
	v.reason = l.Get("reason")
	v.blocked, _ = l.Network()
	if conns, _, ok := l.IntOf("conns"); ok && !(then == decide.Conns && l.Has("network")) {
		v.counted = then != decide.Conns || waits
		if v.others = conns; v.counted {
			v.others = max(0, conns-1)
		}
	}
	v.heard = r.heardOf(l)
	return v, true
}

// heardOf is what DNS had said, with the weights of the configuration that is tried.
func (r *replay) heardOf(l *loglines.Line) lookup.Result {
	h := lookup.Result{Done: true, Heard: l.Get("dns") != "none"}
	if name := l.Get("name"); name != "" {
		h.Names = []string{name}
	}
	for hit := range strings.SplitSeq(l.Get("lists"), ",") {
		name, answer, ok := strings.Cut(hit, ":")
		if !ok {
			continue
		}
		answer, _, _ = strings.Cut(answer, "*")
		addr, err := netip.ParseAddr(answer)
		at := r.listNamed(name)
		if at < 0 || err != nil {
			continue
		}
		if weight := r.door.Policy.Lists[at].Weight([]netip.Addr{addr}); weight != 0 {
			h.Hits = append(h.Hits, lookup.Hit{List: at, Addr: addr, Weight: weight})
			h.Score.Sum += weight
		}
	}
	h.Score = dnsbl.Score{Sum: h.Score.Sum}
	h.Settle()
	return h
}

// maxLists bounds the names of lists that lines may have and the configuration has not.
const maxLists = 100

// listNamed is the number of the list with that name, and notes that a line names it; -1 = the
// configuration has none.
func (r *replay) listNamed(name string) int {
	for i := range r.door.Policy.Lists {
		if r.door.Policy.Lists[i].Name == name {
			r.named[i] = true
			return i
		}
	}
	if len(r.missing) < maxLists {
		r.missing[strings.Clone(name)] = true
	}
	return -1
}
