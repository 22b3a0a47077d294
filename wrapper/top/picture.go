package top

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// mostKept is how many networks of each kind a picture has, however many there are.
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
}

// holder is a network with live sessions.
type holder struct {
	network          netip.Prefix
	waiting, serving int
	oldest           time.Duration
	pid              int // of the oldest
}

// best are the records that are first in the order of the tables, mostKept of them.
type best struct {
	all     []ledger.Record
	compare func(a, b *ledger.Record) int
}

func (b *best) add(r *ledger.Record) {
	if len(b.all) == 2*mostKept {
		b.cut()
	}
	b.all = append(b.all, *r)
}

func (b *best) cut() {
	slices.SortFunc(b.all, func(x, y ledger.Record) int { return b.compare(&x, &y) })
	b.all = b.all[:min(len(b.all), mostKept)]
}

// newPicture is one in which nothing was found yet.
func newPicture(cfg *config.Config, filter string) *Picture {
	p := &Picture{Config: cfg, filter: filter}
	p.come.compare = func(a, b *ledger.Record) int { return cmp.Compare(b.Arrivals, a.Arrivals) }
	p.refused.compare = func(a, b *ledger.Record) int { return cmp.Compare(b.Refusals, a.Refusals) }
	p.blocks.compare = func(a, b *ledger.Record) int { return cmp.Compare(a.Age, b.Age) }
	return p
}

func (p *Picture) addRecord(r *ledger.Record) {
	if !p.matches(r.Network, verdictWord(r.Verdict)) {
		return
	}
	if r.Arrivals > 0 {
		p.come.add(r)
	}
	if r.Refusals > 0 {
		p.refused.add(r)
	}
	if r.Left > 0 {
		p.blocks.add(r)
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
