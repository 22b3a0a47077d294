package wrapper

import (
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/resolve"
)

// DNS is asked about an address once, however many clients come from it: the ledger remembers the
// result for all processes, and says meanwhile which process asks. The others look there.

const (
	// longestInquiry is how long DNS has to answer, where the greet delay is longer.
	longestInquiry = 10 * time.Second

	// testEvery is how often a list is tested, and for how long one that fails is set aside.
	testEvery = 30 * time.Minute

	// mostFailures in a row set a list aside, or mostMissed tests without an answer.
	mostFailures = 10
	mostMissed   = 3

	// mostTesting bounds how many lookups of a process test a list that has not passed a test yet:
	// it counts for their clients. For others it does not until one has ended.
	mostTesting = 64

	// A list that has doubtfulRow addresses in a row is tested at once, and again with 2, 4 and 8
	// times as many; more often would be a burden while a botnet comes.
	doubtfulRow = 20

	// Of the last window addresses, a list that has so many percent of them has nearly everybody.
	window          = 200
	nearlyEverybody = 95
)

// inquiry is what is asked about an address, for all sessions of the process that wait for it.
type inquiry struct {
	lookup  *lookup.Lookup
	of      uint64
	result  lookup.Result
	waiting []*Session
	isNews  bool
}

// inquired is about which address something is asked, and by which configuration.
type inquired struct {
	addr netip.Addr
	of   uint64
}

// asker is a door's way to DNS.
type asker struct {
	resolver  *resolve.Resolver // nil until something is asked
	serial    int               // of the resolver
	inquiries map[inquired]*inquiry
	unasked   []*Session // wait for their turn to be asked about, the newest last
	news      []*inquiry // have changed
	followers []*Session // wait for the result of another process
	followAt  time.Time
	clean     *heard // of all clients about which there is nothing to say

	policy      *policy.Policy // to which these belong:
	of, ofNames uint64         // what is asked by it, and what about clients with dnsbl=off
}

// askerFor is the asker for the policy that holds now.
func (d *Door) askerFor() *asker {
	a := &d.asker
	if a.policy != d.Policy {
		if a.policy != nil && !slices.Equal(a.policy.Resolvers, d.Policy.Resolvers) {
			d.stopAsking()
		}
		names := d.Policy.HasNames()
		a.policy, a.of = d.Policy, fingerprint(d.Policy.Lists, names)
		a.ofNames = fingerprint(nil, names)
	}
	return a
}

// ChangeLists has lists that are set aside tested by the next client: what is wrong with them may
// have been mended. It ends what was asked of other resolvers than those of the policy. A room
// calls it when it has read its configuration again: later it would close hundreds of sockets with
// the ledger's lock held.
func (d *Door) ChangeLists() {
	d.askerFor()
	for i := range d.Policy.Lists {
		_ = d.Ledger.Run(func(t *ledger.Tx) {
			if zone := d.Policy.Lists[i].Zone; t.List(zone).Aside > 0 {
				t.DoubtList(zone)
			}
		})
	}
}

// fingerprint tells the results of one configuration from those of another: lists are numbered, and
// names may not have been asked for. It is FNV-1a.
func fingerprint(lists []dnsbl.List, names bool) uint64 {
	h := uint64(0xcbf29ce484222325)
	add := func(text string) {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * 0x100000001b3
		}
		h = (h ^ 0xff) * 0x100000001b3
	}
	for i := range lists {
		add(lists[i].Zone)
		for _, s := range lists[i].Sites {
			add(s.Filter)
			add(strconv.Itoa(s.Weight))
		}
	}
	if names {
		add("names")
	}
	return h
}

// begin asks.
func (a *asker) begin(q *lookup.Request, of uint64) *inquiry {
	if a.resolver == nil {
		a.resolver = resolve.New(a.policy.Resolvers)
		a.serial++
	}
	if a.inquiries == nil {
		a.inquiries = map[inquired]*inquiry{}
	}
	i := &inquiry{of: of}
	i.lookup = lookup.Start(a.resolver, *q, func() {
		i.result = i.lookup.Result()
		a.note(i)
	})
	i.result = i.lookup.Result()
	a.inquiries[inquired{q.Addr, of}] = i
	if i.result.Done { // nothing is left to ask
		a.note(i)
	}
	return i
}

func (a *asker) note(i *inquiry) {
	if !i.isNews {
		i.isNews = true
		a.news = append(a.news, i)
	}
}

// DNSDescriptor is readable when HearDNS has something to do; -1 while nothing is asked. Each
// resolver has a serial number: a later one may have the same descriptor.
func (d *Door) DNSDescriptor() (fd, serial int) {
	if d.asker.resolver == nil {
		return -1, 0
	}
	return d.asker.resolver.FD(), d.asker.serial
}

// UntilDNS is the time until HearDNS has to be called though nothing has come. It reports false if
// nothing is asked.
func (d *Door) UntilDNS() (left time.Duration, asked bool) {
	a := &d.asker
	if len(a.news) > 0 {
		return 0, true
	}
	var due time.Time
	if a.resolver != nil {
		due = a.resolver.Due()
	}
	if len(a.followers) > 0 && (due.IsZero() || a.followAt.Before(due)) {
		due = a.followAt
	}
	if due.IsZero() {
		return 0, false
	}
	return max(0, time.Until(due)), true
}

// HearDNS takes what DNS has said, and calls learned with each waiting session that it concerns.
func (d *Door) HearDNS(learned func(*Session)) {
	a := &d.asker
	if a.resolver != nil {
		a.resolver.Handle()
	}
	d.follow(learned)
	news := a.news
	a.news = nil
	var done []*inquiry
	for _, i := range news {
		i.isNews = false
		if !d.matters(&i.result) {
			continue
		}
		// Some leave it meanwhile. slices.Clone would keep in the door all methods of all types
		// that a Session leads to: 80 kB, most of them for time.Time to be written in a time zone.
		for _, s := range append([]*Session(nil), i.waiting...) {
			s.learn(i.result)
			learned(s)
		}
		if i.result.Done {
			done = append(done, i)
			i.waiting = nil
		}
	}
	d.keep(done)
	a.askUnasked()
}

// matters says whether a result may end or change the wait of a client: most answers do not.
func (d *Door) matters(r *lookup.Result) bool {
	threshold, welcome := d.Policy.DNSBLThreshold, d.Policy.DNSBLWelcome
	return r.Done || len(r.Names) > 0 || d.Policy.Map != nil && !r.Naming ||
		threshold > 0 && r.Score.Lowest >= threshold ||
		welcome < 0 && r.Score.Highest <= welcome
}

// stopAsking ends all inquiries as if nothing more had come.
func (d *Door) stopAsking() {
	a := &d.asker
	if a.resolver != nil {
		a.resolver.Close()
		a.resolver = nil
	}
	for _, i := range a.inquiries {
		i.result.Settle()
		a.note(i)
	}
}
