package lookup

import (
	"net/netip"
	"slices"
	"time"

	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/resolve"
)

// maxNames is how many names of an address are asked for their addresses. Others do not count.
const maxNames = 8

// names are the names that an address says it has. One counts only if its own addresses contain
// that address: anybody can write any name into the reverse zone of its own network.
type names struct {
	claimed []string // in alphabetical order: servers give them in any
	holds   []bool   // of each: it counts
	known   bool     // which names there are
	missing int      // answers about them
	ttls    []time.Duration
}

func (l *Lookup) askNames() {
	zone := "ip6.arpa" // RFC 3596 §2.5
	if l.Addr.Is4() {
		zone = "in-addr.arpa" // RFC 1035 §3.5
	}
	l.ask(dnsbl.Name(l.Addr, zone), resolve.PTR, func(a resolve.Answer) {
		n := &l.names
		n.note(a)
		n.claimed = slices.Clone(a.Names)
		slices.Sort(n.claimed)
		n.claimed = slices.Compact(n.claimed)
		n.claimed = n.claimed[:min(len(n.claimed), maxNames)]
		n.holds = make([]bool, len(n.claimed))
		n.known, n.missing = true, len(n.claimed)
		for i := range n.claimed {
			l.confirm(i)
		}
	})
}

// confirm asks for the addresses of a name.
func (l *Lookup) confirm(i int) {
	t := resolve.AAAA
	if l.Addr.Is4() {
		t = resolve.A
	}
	n := &l.names
	l.ask(n.claimed[i], t, func(a resolve.Answer) {
		n.note(a)
		n.missing--
		n.holds[i] = slices.ContainsFunc(a.Addrs, func(of netip.Addr) bool {
			return of.Unmap() == l.Addr
		})
	})
}

// note notes for how long an answer holds.
func (n *names) note(a resolve.Answer) {
	ttl := a.TTL
	if a.Result != resolve.Found && a.Result != resolve.NotFound {
		ttl = 0
	}
	n.ttls = append(n.ttls, ttl)
}

// confirmed are the names that count, once all are known: which of several decides must not depend
// on which answer comes first.
func (n *names) confirmed() (all []string) {
	if !n.complete() {
		return nil
	}
	for i, name := range n.claimed {
		if n.holds[i] {
			all = append(all, name)
		}
	}
	return all
}

// complete says whether all answers about names have come.
func (n *names) complete() bool { return n.known && n.missing == 0 }

func (n *names) ttl() time.Duration {
	if !n.complete() {
		return 0
	}
	return slices.Min(n.ttls)
}
