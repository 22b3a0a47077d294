package wrapper

import (
	"math/bits"
	"strconv"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
)

// keepAtOnce is how many results are kept under one lock.
const keepAtOnce = 16

// keep ends inquiries: the ledger remembers their results, and how the lists have behaved.
func (d *Door) keep(all []*inquiry) {
	for len(all) > 0 {
		some := all[:min(keepAtOnce, len(all))]
		all = all[len(some):]
		var texts []string
		results := make([]kept, len(some))
		for n, i := range some {
			results[n] = d.keptOf(i)
			delete(d.asker.inquiries, inquired{i.lookup.Addr, i.of})
		}
		d.Ledger.Together(func() {
			texts = texts[:0] // it is called again where the ledger fails
			for n := range results {
				texts = append(texts, d.keepOne(&results[n])...)
			}
		})
		for _, text := range texts { // most are the same
			d.WarnAgain([]string{text})
		}
		d.warnUnheard(some)
	}
}

// kept is what is kept of an inquiry.
type kept struct {
	*inquiry
	data   []byte
	ttl    time.Duration
	health []lookup.Health
	deaf   bool // DNS has answered nothing
}

func (d *Door) keptOf(i *inquiry) kept {
	k, l := kept{inquiry: i}, i.lookup
	r := l.Result()
	r.Settle()
	r.Names = d.inOrder(r.Names)
	k.data, k.ttl = r.Encode(ledger.LookupSize), l.TTL(d.Policy.DNSBLTTL.Min, d.Policy.DNSBLTTL.Max)
	k.deaf = l.Unheard()
	for n := range l.Lists {
		k.health = append(k.health, l.Health(n))
	}
	return k
}

// keepOne keeps a result, step by step: the ledger can undo only a few changes at once. The texts
// are for the log.
func (d *Door) keepOne(k *kept) (texts []string) {
	l := k.lookup
	err := d.Ledger.Run(func(t *ledger.Tx) { t.KeepLookup(l.Addr, k.of, k.data, k.ttl) })
	for n := 0; n < len(l.Lists) && err == nil; n++ {
		text := ""
		err = d.Ledger.Run(func(t *ledger.Tx) { text = noteHealth(t, &l.Lists[n], k, n) })
		if err == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// noteHealth notes how a list has behaved. The text is for the log; "" = there is nothing to say.
// What was asked of a list before it was set aside changes nothing any more.
func noteHealth(t *ledger.Tx, l *dnsbl.List, k *kept, n int) (text string) {
	h, before := k.health[n], t.List(l.Zone)
	if before.Aside > 0 {
		return ""
	}
	c := ledger.ListCounts{OfWindow: -1}
	if h.Asked {
		c = t.CountList(l.Zone, k.answer(h), window)
	}
	aside, why := k.test(t, l.Zone, n, c.Failures)
	if h.Asked && k.deaf && k.lookup.Fails() && before.Unheard >= testEvery {
		aside, why = true, dnsbl.NoAnswer
	}
	switch {
	case aside:
		t.SetListAside(l.Zone, why, testEvery)
		return "list " + l.Name + " " + dnsbl.Meaning(why) + "; it does not count for " +
			rule.FormatDuration(testEvery)
	case h.Test == lookup.Passed && t.PassListTest(l.Zone):
		return "list " + l.Name + " works again, and counts"
	case h.Test != lookup.Passed && isDoubtful(c.InRow):
		t.RetestList(l.Zone)
	}
	switch {
	case c.Unheard > 0:
		return "DNS answers again"
	case c.OfWindow*100 >= window*nearlyEverybody:
		return "list " + l.Name + " has " + strconv.Itoa(c.OfWindow) + " of the last " +
			strconv.Itoa(window) + " clients that it was asked about; see whether it works"
	}
	return ""
}

func isDoubtful(inRow int) bool {
	return inRow%doubtfulRow == 0 && bits.OnesCount(uint(inRow/doubtfulRow)) == 1
}

// answer is what the ledger counts of a list's answer.
func (k *kept) answer(h lookup.Health) ledger.ListAnswer {
	switch {
	case h.Listed:
		return ledger.Listed
	case h.Answered:
		return ledger.NotListed
	case h.Silent:
		return ledger.ListFailed
	case k.deaf:
		return ledger.Unheard
	}
	return ledger.NoListAnswer
}

// test notes what the test of a list has come to. It says whether the list is to be set aside for
// that, or for its failures, and why. A test without an answer is repeated first.
func (k *kept) test(t *ledger.Tx, zone string, n, failures int) (aside bool, why string) {
	h := k.health[n]
	switch {
	case h.Test == lookup.Failed && h.Why != dnsbl.NoAnswer && h.Why != dnsbl.Refused:
		return true, h.Why
	case failures >= mostFailures:
		return true, dnsbl.NoAnswer
	case h.Test != lookup.Passed && k.lookup.Test.Has(n):
		blamed := h.Test == lookup.Failed
		return t.MissListTest(zone, blamed) >= mostMissed && blamed, h.Why
	}
	return false, ""
}
