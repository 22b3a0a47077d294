package top

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// order is the rows of a table by their last byte.
func order(t *table) string {
	var all []string
	for _, r := range t.rows {
		all = append(all, fmt.Sprint(r.network.Addr().As16()[15]))
	}
	return strings.Join(all, " ")
}

func host(n byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, n}), 32)
}

// Each column has its order, whatever the order before: counts with the highest first, times of
// past events with the latest first, words by the alphabet, networks by their numbers. Rows that
// are alike there are ordered by network, in both directions.
func TestOrder(t *testing.T) {
	now := time.Minute
	p := &Picture{Config: &config.Config{}}
	for _, r := range []struct {
		n                 byte
		arrivals, refused int
		verdict           int
		seen              time.Duration
	}{{10, 5, 1, 10, now}, {9, 5, 3, 9, 2 * now}, {100, 7, 3, 10, now / 2}, {2, 1, 0, 7, 3 * now}} {
		one := ledger.Record{Seen: r.seen}
		one.Network, one.Verdict = host(r.n), r.verdict
		one.Arrivals, one.Refusals = r.arrivals, r.refused
		p.come.add(1, &one)
	}
	p.fillTables()
	list := &p.tables[ofCome]
	columns := []string{"came", "refused", "last", "seen", "is", "network"}
	for range 2 {
		for steps, want := range []struct{ order, reversed string }{
			{"100 9 10 2", "2 9 10 100"}, {"9 100 10 2", "2 10 9 100"},
			{"2 10 100 9", "9 10 100 2"}, {"100 10 9 2", "2 9 10 100"},
			{"2 9 10 100", "2 9 10 100"}, {"2 9 10 100", "100 10 9 2"},
		} {
			list.arrange(steps, false)
			by := list.columns[list.by].title
			if got := order(list); got != want.order || by != columns[steps] {
				t.Errorf("by %s: %s; want %s", by, got, want.order)
			}
			list.arrange(steps, true)
			if got := order(list); got != want.reversed || !strings.Contains(list.title(),
				", by "+columns[steps]+", reversed (4)") {
				t.Errorf("%s: %s; want %s", list.title(), got, want.reversed)
			}
		}
	}
}

// Sessions that last longest, blocks that are the latest, and networks that are refused most come
// first.
func TestUsualOrder(t *testing.T) {
	p := &Picture{Config: &config.Config{}}
	for n := range byte(3) {
		r := ledger.Record{}
		r.Network, r.Arrivals, r.Refusals = host(n), 10-int(n), 1+int(n)
		r.Left, r.Age = time.Duration(1+n)*time.Hour, time.Duration(1+n)*time.Minute
		p.addRecord(&r)
		p.holders = append(p.holders, holder{network: host(n), waiting: 5 - int(n),
			oldest: time.Duration(n) * time.Hour})
	}
	p.fillTables()
	for i, want := range [numTables]string{"0 1 2", "2 1 0", "2 1 0", "0 1 2"} {
		list := &p.tables[i]
		if got := order(list); got != want || strings.Contains(list.title(), "by") {
			t.Errorf("%s: %s; want %s", list.title(), got, want)
		}
	}
}

// However many networks there are, those of the highest rank are kept.
func TestBest(t *testing.T) {
	ranks := rand.New(rand.NewPCG(1, 2)).Perm(50_000)
	var b best
	for _, rank := range ranks {
		r := ledger.Record{}
		r.Arrivals = rank
		b.add(int64(rank)+1, &r)
	}
	if len(b.all) > 2*mostKept {
		t.Errorf("%d are kept", len(b.all))
	}
	b.cut()
	slices.SortFunc(b.all, func(x, y ranked) int { return int(y.rank - x.rank) })
	for i, r := range b.all {
		if want := len(ranks) - i; r.rank != int64(want) || r.Arrivals != want-1 {
			t.Fatalf("number %d has rank %d; want %d", i, r.rank, want)
		}
	}
}

// Of a thousand blocks the latest are kept.
func TestLatestBlocks(t *testing.T) {
	p := &Picture{}
	for n := range 3 * mostKept {
		r := ledger.Record{}
		r.Left, r.Age = time.Hour, time.Duration(n)*time.Second
		p.addRecord(&r)
	}
	p.blocks.cut()
	for _, r := range p.blocks.all {
		if r.Age >= mostKept*time.Second {
			t.Fatalf("a block that is %v old is kept", r.Age)
		}
	}
}

// A network is shown as what counts most: blocked, trusted, known. Of its sessions the longest is
// shown, with its process.
func TestCells(t *testing.T) {
	p := &Picture{Config: &config.Config{}}
	p.Config.CountBy.V4 = 32
	r := ledger.Record{}
	for _, set := range []func() string{
		func() string { return "" },
		func() string { r.Known = true; return "known" },
		func() string { r.Trusted = true; return "trusted" },
		func() string { r.Left = 1; return "blocked" },
	} {
		if want := set(); standing(&r) != want {
			t.Errorf("%s; want %s", standing(&r), want)
		}
	}
	var live []ledger.LiveSession
	for n, age := range []time.Duration{2, 3, 1} {
		live = append(live, ledger.LiveSession{Client: netip.AddrPortFrom(host(1).Addr(), 1),
			Process: ledger.Process{PID: n}, Age: age * time.Hour, Serving: n == 0})
	}
	p.addSessions(live)
	if want := (holder{host(1), 2, 1, 3 * time.Hour, 1}); len(p.holders) != 1 ||
		p.holders[0] != want {
		t.Errorf("%+v; want %+v", p.holders, want)
	}
}
