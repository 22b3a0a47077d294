package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// An operation is a piece of work on a populated ledger, for tests that interrupt it.
type operation struct {
	name    string
	inParts bool // it frees dead sessions, each of which is work done for itself
	do      func(*Tx)
}

// The clients of a populated ledger. Those from 0 to 9 have three sessions each.
const (
	crowded   = 3  // one of its sessions serves
	haunted   = 5  // one of its sessions is dead
	blockedN  = 20 // for ten minutes
	knownN    = 21
	offenderN = 22 // two strikes
	strangerN = 23 // not in the ledger
	guesserN  = 24 // five bad recipients
	trimmedN  = 25 // blocked for ten minutes too
	listedN   = 26 // DNS has been asked about it
	askedN    = 27 // p asks DNS about it
	orphanedN = 28 // the process that asked about it is dead
)

// of is the configuration by which DNS was asked.
const of = 0x1122334455667788

var threeStrikes = Penalty{Strikes: 3, Within: time.Hour, For: time.Hour, Max: 24 * time.Hour}

// populate puts something of everything into the ledger; all live sessions are p's.
func populate(t testing.TB, l *Ledger, now Moment, p Process) {
	t.Helper()
	for n := range 10 {
		mustAt(t, l, now, func(tx *Tx) {
			for i := range 3 {
				a := from(hostN(n))
				a.Limits = Limits{Rate: 100, Per: time.Minute}
				who := p
				if n == haunted && i == 1 {
					who = Process{PID: maxPID - 1, Start: 1}
				}
				s, ok := tx.Enter(a, who)
				if !ok {
					t.Fatal("a populated ledger is full")
				}
				if n == crowded && i == 1 {
					tx.Serve(s)
				}
			}
		})
	}
	mustAt(t, l, now, func(tx *Tx) {
		tx.Block(networkN(blockedN), 10*time.Minute, "test", Penalty{})
		tx.Block(networkN(trimmedN), 10*time.Minute, "test", Penalty{})
		tx.Remember(networkN(knownN), time.Hour)
		tx.Strike(networkN(offenderN), "test", 1, threeStrikes)
		tx.Strike(networkN(offenderN), "test", 1, threeStrikes)
		for range 5 {
			tx.BadRcpt(networkN(guesserN), time.Hour)
		}
		tx.Count(1)
		tx.KeepLookup(hostN(listedN), of, []byte("listed"), time.Hour)
		tx.ClaimLookup(hostN(askedN), of, p)
		tx.ClaimLookup(hostN(orphanedN), of, Process{PID: maxPID - 1, Start: 1})
		tx.PassListTest("good.example")
		tx.CountList("good.example", Listed, 200)
		tx.SetListAside("bad.example", "timeout", 30*time.Minute)
	})
}

// sessionOf is the n-th session of a client, the latest first.
func (t *Tx) sessionOf(host netip.Addr, n int) Session {
	i := int(t.l.record(t.l.find(keyOf(from(host).Network))).first) - 1
	for ; n > 0; n-- {
		i = int(t.l.slot(i).next) - 1
	}
	return t.token(i)
}

// nobody is a process that does not live, so that entering for it needs no /proc.
var nobody = Process{PID: maxPID - 2, Start: 7}

// operations are all kinds of work there are.
func operations() []operation {
	return []operation{
		{name: "nothing", do: func(*Tx) {}},
		{name: "beginning of a trim", do: func(t *Tx) { t.claimTrim(1) }},
		{name: "block ended by a trim", do: func(t *Tx) {
			i := t.l.find(keyOf(networkN(trimmedN)))
			t.endBlock(runningBlock{at: t.l.record(i).blockedAt, record: i})
		}},
		{name: "end of a trim", do: func(t *Tx) { t.noteTrim(7, t.l.ring.last.Load()) }},
		{name: "look", do: func(t *Tx) { t.Look(from(hostN(blockedN))) }},
		{name: "enter as a stranger", do: func(t *Tx) { t.Enter(from(hostN(strangerN)), nobody) }},
		{name: "enter again", do: func(t *Tx) {
			a := from(hostN(crowded))
			a.Limits = Limits{Rate: 100, Per: time.Minute}
			t.Enter(a, nobody)
		}},
		{name: "serve", do: func(t *Tx) { t.Serve(t.sessionOf(hostN(crowded), 0)) }},
		{name: "leave from the front of the list",
			do: func(t *Tx) { t.Leave(t.sessionOf(hostN(crowded), 0)) }},
		{name: "leave from its middle", do: func(t *Tx) {
			t.Leave(t.sessionOf(hostN(crowded),
				1))
		}},
		{name: "leave from its end", do: func(t *Tx) { t.Leave(t.sessionOf(hostN(crowded), 2)) }},
		{name: "enter to wait", do: func(t *Tx) {
			a := from(hostN(crowded))
			a.Delay = time.Minute
			t.Enter(a, nobody)
		}},
		{name: "count for a network", do: func(t *Tx) {
			t.CountFor(networkN(blockedN), Event{Verdict: 3, Arrived: true, Refused: true})
		}},
		{name: "enter in a wide network", do: func(t *Tx) { t.Enter(within(wideA, 1), nobody) }},
		{name: "enter in a wide network, serve and leave", do: func(t *Tx) {
			s, _ := t.Enter(within(wideA, 1), nobody)
			t.Serve(s)
			t.Leave(s)
		}},
		{name: "enter in two networks with limits", do: func(t *Tx) {
			t.Enter(limited(hostN(strangerN), 100, 100), nobody)
		}},
		{name: "enter, serve and leave there", do: func(t *Tx) {
			s, _ := t.Enter(limitedV6(wideA, 1, 100, 100), nobody)
			t.Serve(s)
			t.Leave(s)
		}},
		{name: "hand", do: func(t *Tx) { t.Transfer(t.sessionOf(hostN(crowded), 1), nobody) }},
		{name: "hand and serve", do: func(t *Tx) {
			s, _ := t.Transfer(t.sessionOf(hostN(crowded), 0), nobody)
			t.Serve(s)
			t.Count(9)
		}},
		{name: "keep all but one client's", inParts: true, do: func(t *Tx) {
			s := t.sessionOf(hostN(crowded), 0)
			t.FreeExcept(s.process, func(s Session) bool { return s.slot/3 != crowded })
		}},
		{name: "remember", do: func(t *Tx) { t.Remember(networkN(strangerN), time.Hour) }},
		{name: "hangup", do: func(t *Tx) {
			s, _ := t.Enter(from(hostN(strangerN)), nobody)
			t.HungUp(networkN(strangerN), 2*time.Second, time.Hour)
			t.Leave(s)
		}},
		{name: "strike", do: func(t *Tx) { t.Strike(networkN(knownN), "early", 1, threeStrikes) }},
		{name: "strikes at once", do: func(t *Tx) {
			t.Strike(networkN(knownN), "early", 2,
				threeStrikes)
		}},
		{name: "forgive", do: func(t *Tx) { t.Forgive(networkN(offenderN), "test") }},
		{name: "strike that blocks", do: func(t *Tx) {
			t.Strike(networkN(offenderN), "early", 1,
				threeStrikes)
		}},
		{name: "block of a wide network", do: func(t *Tx) {
			t.Block(netip.MustParsePrefix("10.0.0.0/9"), time.Hour, "admin", Penalty{})
		}},
		{name: "block set again without a length",
			do: func(t *Tx) { t.Block(networkN(blockedN), 0, "guard", threeStrikes) }},
		{name: "block by hand", do: func(t *Tx) {
			t.BlockByHand(networkN(knownN), time.Hour,
				"admin", threeStrikes)
		}},
		{name: "delivery", do: func(t *Tx) { t.Delivered(networkN(knownN)) }},
		{name: "remember again", do: func(t *Tx) { t.Remember(networkN(knownN), time.Hour) }},
		{name: "bad recipient", do: func(t *Tx) { t.BadRcpt(networkN(guesserN), time.Hour) }},
		{name: "bad recipient of another time",
			do: func(t *Tx) { t.BadRcpt(networkN(guesserN), 24*time.Hour) }},
		{name: "bad recipient of a stranger",
			do: func(t *Tx) { t.BadRcpt(networkN(strangerN), time.Hour) }},
		{name: "bad recipient too many", do: func(t *Tx) {
			if t.BadRcpt(networkN(guesserN), time.Hour).Bad > 5 {
				t.Block(networkN(guesserN), 0, "guard", threeStrikes)
			}
			t.Count(12)
		}},
		{name: "counts", do: func(t *Tx) {
			t.Count(3)
			t.Spoke(1300 * time.Millisecond)
			t.Left(31 * time.Second)
		}},
		{name: "a whole connection", do: func(t *Tx) {
			a := from(hostN(knownN))
			a.Limits = Limits{Serving: 300, Waiting: 1000, Conns: 50, Rate: 100, Per: time.Minute}
			t.Look(a)
			s, _ := t.Enter(a, nobody)
			t.Serve(s)
			t.Remember(a.Network, time.Hour)
			t.Count(9)
			t.Leave(s)
		}},
		{name: "claim of a lookup",
			do: func(t *Tx) { t.ClaimLookup(hostN(strangerN), of, nobody) }},
		{name: "claim of a lookup whose process is dead",
			do: func(t *Tx) { t.ClaimLookup(hostN(orphanedN), of, nobody) }},
		{name: "result of a lookup", do: func(t *Tx) {
			t.KeepLookup(hostN(askedN), of, make([]byte, LookupSize), time.Hour)
		}},
		{name: "another result of a lookup", do: func(t *Tx) {
			t.KeepLookup(hostN(listedN), of, []byte("not listed"), time.Minute)
		}},
		{name: "end of a claim", do: func(t *Tx) {
			t.DropLookup(hostN(orphanedN), of, Process{PID: maxPID - 1, Start: 1})
		}},
		{name: "answer of a list",
			do: func(t *Tx) { t.CountList("good.example", Listed, 200) }},
		{name: "answer that fills a window", do: func(t *Tx) {
			t.CountList("good.example", NotListed, 2)
			t.CountList("good.example", ListFailed, 2)
		}},
		{name: "first test of a list",
			do: func(t *Tx) { t.ClaimListTest("new.example", time.Hour) }},
		{name: "test of a list passed", do: func(t *Tx) { t.PassListTest("bad.example") }},
		{name: "list set aside",
			do: func(t *Tx) { t.SetListAside("good.example", "sinkhole", time.Hour) }},
		{name: "a listed client", do: func(t *Tx) {
			host := hostN(strangerN)
			s, _ := t.Enter(from(host), nobody)
			t.ClaimLookup(host, of, nobody)
			for _, zone := range []string{"a.example", "b.example", "good.example"} {
				t.CountList(zone, Listed, 200)
			}
			t.KeepLookup(host, of, []byte("listed"), time.Hour)
			t.Leave(s)
			t.Count(15)
		}},
		{name: "reap one client", inParts: true, do: func(t *Tx) {
			a := from(hostN(haunted))
			a.Limits.Conns = 2
			t.Look(a)
		}},
		{name: "sweep", inParts: true, do: func(t *Tx) { t.Totals() }},
		{name: "sweep of an overdue session", inParts: true, do: func(t *Tx) {
			start, _ := startTime(1)
			t.now -= 2 * longestWait.Milliseconds()
			t.Enter(from(hostN(strangerN)), Process{PID: 1, Start: start})
			t.now += 2 * longestWait.Milliseconds()
			t.Totals()
		}},
	}
}

func operationNamed(name string) operation {
	for _, d := range operations() {
		if d.name == name {
			return d
		}
	}
	panic("no operation " + name)
}
