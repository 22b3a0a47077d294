package replay

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/decide"
)

// changes are the clients whose verdict changes.
type changes struct {
	lost      map[netip.Addr]*change    // served then, refused now
	others    map[netip.Addr]*change    // all other changes
	clientsOf map[[2]decide.Verdict]int // clients by kind of change
	knownOf   map[[2]decide.Verdict]int // of these, those that are known
}

// change is what is kept of a client.
type change struct {
	kinds   []kind
	known   bool
	trusted bool
	later   int
	lines   []string
	more    int
}

// kind is a kind of change, and how often a client had it.
type kind struct {
	of    [2]decide.Verdict // then, now
	count int
	known bool
}

const (
	maxChanged = 1 << 15 // clients that lost, and as many others
	maxLines   = 3       // of a client
)

func newChanges() changes {
	return changes{
		lost: map[netip.Addr]*change{}, others: map[netip.Addr]*change{},
		clientsOf: map[[2]decide.Verdict]int{}, knownOf: map[[2]decide.Verdict]int{},
	}
}

// lost says whether a client has lost its MTA.
func lost(then, now decide.Verdict) bool {
	return then.Served() && !now.Served()
}

// note keeps what changes.
func (r *replay) note(v *visit) {
	client := v.client.Addr()
	if v.then.Served() {
		for _, in := range []map[netip.Addr]*change{r.lost, r.others} {
			if c := in[client]; c != nil {
				c.later++
			}
		}
	}
	if v.then == v.now {
		return
	}
	in := r.others
	if lost(v.then, v.now) {
		in = r.lost
	}
	c := in[client]
	if c == nil {
		if len(in) >= maxChanged {
			r.result.Untold.Forgotten++
			return
		}
		c = &change{}
		in[client] = c
	}
	known := v.then == decide.Known || v.session.Known()
	c.known = c.known || known
	c.trusted = c.trusted || v.session.Trusted()
	r.count(c, [2]decide.Verdict{v.then, v.now}, known)
	if len(c.lines) < maxLines {
		at := v.logged.after(-r.shift).time().In(r.Zone)
		c.lines = append(c.lines, at.Format("2006-01-02 15:04:05 ")+strings.Clone(v.text))
	} else {
		c.more++
	}
}

// count counts a change of the client.
func (r *replay) count(c *change, of [2]decide.Verdict, known bool) {
	at := slices.IndexFunc(c.kinds, func(k kind) bool { return k.of == of })
	if at < 0 {
		at = len(c.kinds)
		c.kinds = append(c.kinds, kind{of: of})
		r.clientsOf[of]++
	}
	k := &c.kinds[at]
	k.count++
	if known && !k.known {
		k.known = true
		r.knownOf[of]++
	}
}

// maxClients is how many clients the result lists.
const maxClients = 1000

// clients lists them: first those that may be mistakes, which were known, or served later.
func (r *replay) clients() (list []Client, more int) {
	for i, from := range []map[netip.Addr]*change{r.lost, r.others} {
		for addr, c := range from {
			list = append(list, Client{Client: addr, Lost: i == 0, Known: c.known,
				Trusted: c.trusted, Later: c.later, Changes: listed(c.kinds), Lines: c.lines,
				More: c.more})
		}
	}
	slices.SortFunc(list, func(a, b Client) int {
		return cmp.Or(first(a.Lost, b.Lost), first(a.Trusted, b.Trusted),
			first(a.Known, b.Known), cmp.Compare(b.Later, a.Later),
			cmp.Compare(b.total(), a.total()), a.Client.Compare(b.Client))
	})
	n := min(len(list), maxClients)
	return list[:n], len(list) - n
}

func (c *Client) total() (n int) {
	for _, one := range c.Changes {
		n += one.Count
	}
	return n
}

// first compares so that true comes first.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func listed(kinds []kind) (list []Change) {
	for _, k := range kinds {
		list = append(list, Change{nowWord(k.of[0]), nowWord(k.of[1]), k.count})
	}
	slices.SortFunc(list, mostFirst)
	return list
}

func mostFirst(a, b Change) int {
	return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Then, b.Then),
		strings.Compare(a.Now, b.Now))
}

// nowWord is the verdict's word.
func nowWord(v decide.Verdict) string {
	if v == decide.Undecided {
		return Waits
	}
	return v.String()
}
