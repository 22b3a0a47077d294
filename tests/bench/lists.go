package main

import (
	"fmt"
	"net/netip"

	"sendwrap/tests/lab"
)

// What a client may cost that three lists are asked about.
const (
	listsTarget       = 0.8 // of CPU: times postscreen with its dnsblog
	listsMemoryTarget = 1.5 // of the room's memory, while it waits: times one without lists
)

// listedReply is what a listed client reads. From postscreen everybody reads a first line of the
// greeting before; what it decides is in its log.
const (
	listedReply = "554 5.7.1 "
	teaser      = "220-" + lab.HostName + " ESMTP Postfix"
)

// beside are the room, a process each, and postscreen.
func (l *bench) beside(name, verdict, ours, theirs string) []peer {
	i := l.listing(name, "2s")
	peers := []peer{i.in(l.room(i), ours)}
	// With a ledger of its own: what the room has asked, it shall not know.
	i = l.listing(name+"-each", "2s")
	peers = append(peers, i.peer(ours).called(eachItsOwn))
	if lab.NoPostfix() == "" {
		peers = append(peers, peer{name: postscreen, at: l.screening(name, verdict), says: theirs})
	}
	return peers
}

// cpu measures what a listed client costs that is refused, and a clean one that passes, and what of
// that the lists are.
func (l *listsBench) cpu() {
	l.part("listed clients", func() {
		peers := l.beside("lists-listed", "DNSBL", listedReply, teaser)
		cpu := l.cpuOf(peers, "DNSBL", l.listed)
		l.put(cpu.compared("CPU of a listed client that is refused: three lists, the room", "µs", 0,
			limits{{postscreen, listsTarget}})...)
	})
	var cpu series
	l.part("clean clients", func() {
		peers := l.beside("lists-clean", "PASS", stubGreeting, teaser)
		cpu = l.cpuOf(peers, "PASS", l.clean)
		l.put(cpu.compared("CPU of a clean client that passes: three lists, the room", "µs", 0,
			limits{{postscreen, listsTarget}})...)
	})
	l.part("clean clients without lists", func() {
		i := l.instance("lists-none", "mta "+l.program("stub"), "greet_delay 2s stress=2s",
			"max_waiting 20000")
		peers := []peer{i.in(l.room(i), stubGreeting)}
		if lab.NoPostfix() == "" {
			p := l.postscreen("postfix-lists-none", "PASS", slowly()...)
			peers = append(peers, peer{name: postscreen, at: p, says: teaser})
		}
		none := l.cpuOf(peers, "PASS", l.clean)
		l.put(none.row("CPU of a client that passes: the same without lists", "µs"))
		added := make(series)
		for _, p := range peers {
			added[p.name] = []float64{cpu.median(p.name) - none.median(p.name)}
		}
		l.put(added.row("CPU that three lists add to a client that passes", "µs"))
	})
}

// cpuOf lets clients visit in turns, many at once: postscreen holds each for two seconds.
func (l *bench) cpuOf(peers []peer, verdict string, from func() netip.Addr) series {
	for _, p := range peers {
		if p.name == postscreen { // it starts a helper for each query: the first may be late
			p.says = ""
			must(l.greetings(p, load{clients: 100, atOnce: 100, from: from}))
		}
	}
	got := must(takeTurns(l.fewer(10), peers, func(p peer) ([]burst, error) {
		r := load{clients: 500, atOnce: 100, from: from}
		if p.at == nil || l.quick {
			r.clients, r.atOnce = 100, 20
		}
		return reaching(p, verdict, r.clients, func() ([]burst, error) {
			return l.greetings(p, r)
		})
	}))
	return got.reduce(cpuEach)
}

// queries counts what the resolver is asked for 1,000 connections of 100 listed addresses.
func (l *listsBench) queries() {
	const addresses, times = 100, 10
	got := make(series)
	for _, p := range l.beside("lists-queries", "DNSBL", listedReply, teaser) {
		before := l.asked()
		for range times {
			r := load{clients: addresses, atOnce: addresses, from: each(listedClients)}
			must(reaching(p, "DNSBL", addresses, func() ([]burst, error) {
				return l.greetings(p, r)
			}))
		}
		got[p.name] = []float64{float64(l.asked() - before)}
	}
	l.put(got.row("queries for 1000 connections of 100 listed addresses: three lists", "").
		within(3 * addresses))
}

// times measures how soon a welcomed client is greeted, and a listed one is refused, beside a
// client that the ledger knows or blocks: nobody waits for DNS about those.
func (l *listsBench) times() {
	known, blocked := l.clean(), l.clean()
	i := l.listing("lists-times", "2s", "dnsbl white.lists.test*-9", "dnsbl_welcome -5",
		"client "+known.String()+" greet_delay=100ms")
	must(i.command("block", blocked.String(), "1h"))
	room := l.room(i)
	one := func(p peer, verdict string, from func() netip.Addr) []sample {
		r := load{clients: max(50, 20*l.rounds), atOnce: 1, from: from}
		if l.quick {
			r.clients = 10
		}
		return must(reaching(p, verdict, r.clients, func() ([]sample, error) {
			return l.visits(p, r)
		}))
	}
	always := func(a netip.Addr) func() netip.Addr { return func() netip.Addr { return a } }
	must(reaching(i.in(room, stubGreeting), "PASS", 1, func() ([]sample, error) {
		return l.visits(i.in(room, stubGreeting), load{clients: 1, atOnce: 1, from: always(known)})
	}))
	for _, p := range []peer{i.in(room, ""), i.peer("").called(eachItsOwn)} {
		in := func(says string) peer { p.says = says; return p }
		how := ": the room"
		if p.at == nil {
			how = ": " + eachItsOwn
		}
		got := series{
			"welcomed": {medianAnswer(one(in(stubGreeting), "DNSWL", l.welcome))},
			"known":    {medianAnswer(one(in(stubGreeting), "KNOWN", always(known)))},
			"listed":   {medianAnswer(one(in(listedReply), "DNSBL", l.listed))},
			"blocked":  {medianAnswer(one(in(blockedReply), "BLOCKED", always(blocked)))},
		}
		for _, kind := range [][3]string{
			{"time to greeting of a welcomed client, three lists", "welcomed", "known"},
			{"time to refusal of a listed client, three lists", "listed", "blocked"},
		} {
			r := oursAlone(kind[0]+how, "ms", got.median(kind[1]))
			r.Ratio, r.Against = got.ratio(kind[1], kind[2]), "a "+kind[2]+" one"
			l.put(r)
		}
	}
}

// memory measures what a client that waits in the room costs, when three lists have answered.
func (l *listsBench) memory() {
	count := 10_000
	if l.quick {
		count = 1000
	}
	unusable := tryMemoryGroup(groupName(l.dir))
	private, charged := make(series), make(series)
	for round := range min(l.rounds, 2) {
		for _, lists := range []string{"three lists", "none"} {
			l.next = cleanClients.Addr().Next()
			name := fmt.Sprintf("lists-memory-%d-%s", round, lists[:4])
			m := l.grown(name, l.listsRoom(lists == "none"), []int{count}, unusable == nil)
			private[lists] = append(private[lists], m[0].private)
			charged[lists] = append(charged[lists], m[0].charged)
		}
	}
	what := fmt.Sprintf("memory of a client waiting in the room, three lists: %d at once", count)
	for _, kind := range []struct {
		what string
		of   series
	}{{"private " + what, private}, {what + ", with the kernel's", charged}} {
		r := oursAlone(kind.what, "kB", kind.of.median("three lists"))
		r.Ratio, r.Against = kind.of.ratio("three lists", "none"), "without lists"
		r.Target, r.Missed = listsMemoryTarget, r.Ratio > listsMemoryTarget
		if unusable != nil && kind.what[0] != 'p' {
			r = row{What: kind.what, Skipped: unusable.Error()}
		}
		l.put(r)
	}
}

// listsRoom starts a room in which clients wait: all lists have answered when they are counted.
func (l *bench) listsRoom(without bool) starter {
	return func(in *bench, name string) *crowded {
		directives := []string{"mta " + in.program("stub"), "greet_delay 290s stress=290s",
			"max_waiting 20000"}
		if !without {
			directives = append(directives, "dnsbl "+threeLists)
		}
		i := in.instance(name, directives...)
		d := in.room(i)
		c := &crowd{bench: in, at: d, waiting: i.waiting}
		slowly := func(n int) { // what is asked about many at once is no memory of one that waits
			for some := len(c.here) + 100; some < n; some += 100 {
				c.fill(some)
			}
			c.fill(n)
		}
		return &crowded{at: d, file: i.ledger, fill: slowly, empty: c.empty}
	}
}

// counts counts what three lists add to a process for one client that passes: when they are
// asked, and when the ledger knows what they say.
func (l *listsBench) counts() {
	const delay = "500ms"
	bare := l.instance("counts-bare", "mta "+l.program("stub"), "greet_delay "+delay, "remember 0s")
	i := l.listing("counts-lists", delay, "remember 0s")
	seen := l.clean()
	count := func(p peer, from func() netip.Addr) (calls, faults float64) {
		p.becomes = l.program("stub")
		n := 21
		if l.quick {
			n = 5
		}
		var c, f []float64
		for range n {
			got := must(reaching(p, "PASS", 1, func() (counted, error) {
				return l.countProcess(p, from(), "")
			}))
			c, f = append(c, float64(got.calls)), append(f, float64(got.faults))
		}
		return median(c), median(f)
	}
	p := i.peer(stubGreeting)
	// The lists are tested, and asked about the address.
	must(reaching(p, "PASS", 1, func() ([]sample, error) {
		return l.visits(p, load{clients: 1, atOnce: 1, from: func() netip.Addr { return seen }})
	}))
	calls, faults := count(bare.peer(stubGreeting), l.clean)
	asked, askedFaults := count(p, l.clean)
	kept, keptFaults := count(p, func() netip.Addr { return seen })
	const add = " that three lists add to a passed client: "
	l.put(oursAlone("system calls"+add+"asked", "", asked-calls),
		oursAlone("system calls"+add+"remembered", "", kept-calls),
		oursAlone("page faults"+add+"asked", "", askedFaults-faults),
		oursAlone("page faults"+add+"remembered", "", keptFaults-faults))
}
