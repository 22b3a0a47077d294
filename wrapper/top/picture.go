package top

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// mostKept is how many networks of each kind a picture has at least, if there are as many.
const mostKept = 500

// Picture is what one look has found. Where the ledger could not be read, Trouble says why, and
// all counts are 0.
type Picture struct {
	Config  *config.Config
	At      time.Time
	Totals  ledger.Totals
	Rooms   []ledger.Room
	Trouble string

	come, refused, blocks best
	holders               []holder
	filter                string
	usable                bool
	tables                [numTables]table // of all these
}

// holder is a network with live sessions.
type holder struct {
	network          netip.Prefix
	waiting, serving int
	oldest           time.Duration
	pid              int // of the oldest
}

// best are records of the highest rank: mostKept of them after cut, up to twice as many before.
type best struct {
	all   []ranked
	least int64 // rank that a further one must exceed; ranks are more than 0
}

type ranked struct {
	rank int64
	ledger.Record
}

func (b *best) add(rank int64, r *ledger.Record) {
	if len(b.all) == 2*mostKept {
		b.cut()
	}
	if len(b.all) < mostKept || rank > b.least {
		b.all = append(b.all, ranked{rank, *r})
	}
}

func (b *best) cut() {
	slices.SortFunc(b.all, func(x, y ranked) int { return cmp.Compare(y.rank, x.rank) })
	b.all = b.all[:mostKept]
	b.least = b.all[mostKept-1].rank
}

func (p *Picture) addRecord(r *ledger.Record) {
	if p.filter != "" && !p.matches(r.Network, verdictWord(r.Verdict)) {
		return
	}
	if r.Arrivals > 0 {
		p.come.add(int64(r.Arrivals), r)
	}
	if r.Refusals > 0 {
		p.refused.add(int64(r.Refusals), r)
	}
	if r.Left > 0 {
		p.blocks.add(math.MaxInt64-int64(r.Age), r) // the latest first
	}
}

// matches says whether the filter lets the network through: it is in its text, or in the word.
func (p *Picture) matches(network netip.Prefix, word string) bool {
	return p.filter == "" || strings.Contains(network.String(), p.filter) ||
		strings.Contains(strings.ToLower(word), strings.ToLower(p.filter))
}

// addSessions sums up the live sessions by network.
func (p *Picture) addSessions(live []ledger.LiveSession) {
	at := map[netip.Prefix]int{}
	for _, s := range live {
		network := p.Config.Network(s.Client.Addr())
		if !p.matches(network, "") {
			continue
		}
		i, found := at[network]
		if !found {
			i = len(p.holders)
			at[network] = i
			p.holders = append(p.holders, holder{network: network})
		}
		h := &p.holders[i]
		if s.Serving {
			h.serving++
		} else {
			h.waiting++
		}
		if s.Age >= h.oldest {
			h.oldest, h.pid = s.Age, s.Process.PID
		}
	}
}

// verdictWord is the log's word for a verdict that the ledger has counted.
func verdictWord(v int) string {
	if all := decide.Verdicts(); v < 1 || v > len(all) {
		return "-"
	}
	return decide.Verdict(v).String()
}
