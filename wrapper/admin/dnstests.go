package admin

import (
	"fmt"
	"net/netip"
	"slices"
	"text/tabwriter"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/resolve"
)

// listTest is a list that is tested.
type listTest struct {
	list     *dnsbl.List
	behavior ledger.List // as the ledger has it
	lookup   *lookup.Lookup
	took     time.Duration // until it was done; 0 = it is not
	isBack   bool          // it was set aside, and is no longer
}

// resolverTest is a resolver that is asked what lists are asked when they are tested.
type resolverTest struct {
	server netip.AddrPort
	best   resolve.Result // of all answers
	took   time.Duration  // until the first that is one
	lie    string         // the first list that does not work by this resolver, and why
	left   int
}

// testDNS tests each list, and each resolver, and prints a line for each. It prints nothing if the
// configuration has neither lists nor names.
func (c *call) testDNS(d *configured) {
	if d.asksDNS() {
		c.printTests(c.askDNS(d))
	}
}

// asksDNS reports whether the configuration has lists or names.
func (d *configured) asksDNS() bool { return len(d.Policy.Lists) > 0 || d.Policy.HasNames() }

// askDNS tests each list, and each resolver. A list that was set aside, and works, counts from now
// on: somebody has mended it.
func (c *call) askDNS(d *configured) (lists []*listTest, servers []*resolverTest) {
	if err := c.openExisting(d); err != nil {
		fmt.Fprintf(c.stderr, "sendwrap: %v; which lists are set aside is not known\n", err)
	}
	began := time.Now()
	end := began.Add(dnsTime)
	r := resolve.New(d.Policy.Resolvers)
	resolvers := []*resolve.Resolver{r}
	lists = d.testLists(r, end)
	for _, server := range r.Servers() {
		own := resolve.New([]netip.AddrPort{server})
		resolvers = append(resolvers, own)
		servers = append(servers, testResolver(own, server, d.Policy.Lists, end))
	}
	await(resolvers, end.Add(time.Second), func() bool { return areDone(lists, servers) })
	for _, r := range resolvers {
		r.Close()
	}
	for _, t := range lists {
		if t.behavior.Aside > 0 && t.lookup.Health(0).Test == lookup.Passed {
			err := d.Ledger.Run(func(tx *ledger.Tx) { tx.PassListTest(t.list.Zone) })
			t.isBack = err == nil
		}
	}
	return lists, servers
}

// testLists begins to test the lists, each by itself, so that the time of each can be told.
func (d *configured) testLists(r *resolve.Resolver, end time.Time) (all []*listTest) {
	known := d.behavior()
	began := time.Now()
	for i := range d.Policy.Lists {
		t := &listTest{list: &d.Policy.Lists[i], behavior: known[i]}
		t.lookup = lookup.Start(r, lookup.Request{
			Addr: neverListed, Lists: d.Policy.Lists[i : i+1], Test: lookup.Set(0).With(0),
			Until: end,
		}, func() {
			if t.lookup.Done() {
				t.took = time.Since(began)
			}
		})
		all = append(all, t)
	}
	return all
}

// neverListed is the address that no list may have, alwaysListed that which each must have (RFC
// 5782 §5).
var (
	neverListed  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	alwaysListed = netip.AddrFrom4([4]byte{127, 0, 0, 2})
)

// behavior is that of all lists as the ledger has it.
func (d *configured) behavior() []ledger.List {
	zones := make([]string, len(d.Policy.Lists))
	for i := range d.Policy.Lists {
		zones[i] = d.Policy.Lists[i].Zone
	}
	if d.Ledger.IsOpen() {
		if known, err := d.Ledger.Lists(ledger.Now(), zones); err == nil {
			return known
		}
	}
	return make([]ledger.List, len(zones))
}

// testResolver begins to ask one resolver.
func testResolver(
	r *resolve.Resolver, server netip.AddrPort, lists []dnsbl.List, end time.Time,
) *resolverTest {
	t := &resolverTest{server: server}
	began := time.Now()
	ask := func(name string, kind resolve.Type, l *dnsbl.List) {
		t.left++
		r.Ask(resolve.Question{Name: name, Type: kind}, end, func(a resolve.Answer) {
			t.left--
			t.note(a, l, time.Since(began))
		})
	}
	for i := range lists {
		ask(dnsbl.Name(alwaysListed, lists[i].Zone), resolve.A, &lists[i])
	}
	if len(lists) == 0 { // only names are asked for
		ask(dnsbl.Name(neverListed, "in-addr.arpa"), resolve.PTR, nil)
	}
	return t
}

// note notes an answer. One that could be given is worth more than one that could not.
func (t *resolverTest) note(a resolve.Answer, l *dnsbl.List, after time.Duration) {
	if a.Result == resolve.NoAnswer {
		return
	}
	if t.took == 0 {
		t.took = after
	}
	if t.best == resolve.NoAnswer || a.Result < t.best {
		t.best = a.Result
	}
	if why, lies := dnsbl.Lies(a.Addrs); l != nil && lies && t.lie == "" {
		t.lie = l.Name + " " + dnsbl.Meaning(why)
	}
}

func areDone(lists []*listTest, servers []*resolverTest) bool {
	for _, t := range lists {
		if !t.lookup.Done() {
			return false
		}
	}
	for _, t := range servers {
		if t.left > 0 {
			return false
		}
	}
	return true
}

// printTests prints the tests, and notes on lists that fail. A list that fails stops no mail.
func (c *call) printTests(lists []*listTest, servers []*resolverTest) {
	w := tabwriter.NewWriter(c.stdout, 0, 8, 2, ' ', 0)
	deaf := !slices.ContainsFunc(servers, (*resolverTest).answers)
	for _, t := range lists {
		state, note := t.state()
		fmt.Fprintf(w, "list\t%s\t%s\t%s\n", t.list.Name, tookText(t.took), state)
		if note != "" && !deaf { // else the lists are not to blame
			fmt.Fprintf(c.stderr, "note: dnsbl: %s %s\n", t.list.Name, note)
		}
	}
	for _, t := range servers {
		state, note := t.state()
		fmt.Fprintf(w, "resolver\t%v\t%s\t%s\n", t.server, tookText(t.took), state)
		if note != "" {
			fmt.Fprintf(c.stderr, "note: resolver %v: %s\n", t.server, note)
		}
	}
	w.Flush()
}

// state is how the list works, in a few words, and what to do if it does not.
func (t *listTest) state() (state, note string) {
	h := t.lookup.Health(0)
	switch h.Test {
	case lookup.Passed:
		state = "works"
	case lookup.Failed:
		state, note = "fails: "+h.Why, dnsbl.Meaning(h.Why)
	default:
		state, note = "no answer", dnsbl.Meaning(dnsbl.NoAnswer)
	}
	switch b := t.behavior; {
	case t.isBack:
		state += "; it was set aside, and counts again"
	case b.Aside > 0:
		state += "; set aside for another " + decide.Seconds(b.Aside)
		if b.Why != h.Why {
			state += ": " + b.Why
		}
	}
	return state, note
}

// answers says whether the resolver has answered any question.
func (t *resolverTest) answers() bool {
	return t.best == resolve.Found || t.best == resolve.NotFound
}

// state is how the resolver works.
func (t *resolverTest) state() (state, note string) {
	switch t.best {
	case resolve.Found, resolve.NotFound:
		if t.lie != "" {
			return "answers", "by it, list " + t.lie
		}
		return "answers", ""
	case resolve.Refused:
		return "refuses", "it refuses to answer us; let it serve this machine, or name another"
	case resolve.Failed:
		return "fails", "it reports a failure; see whether it reaches the Internet"
	}
	return "no answer", "it does not answer; see whether it runs, or name another"
}

// tookText is how long a test took; "" if it was not done in time.
func tookText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return milliseconds(d)
}
