package ledger

import (
	"net/netip"
	"testing"
	"time"
)

// checkOlderCounts checks what only files of version 3 or 4 have in them.
func checkOlderCounts(t *testing.T, version int, l *Ledger,
	stands func(client string, bits int) Standing) {
	t.Helper()
	if version < 3 {
		return
	}
	n, _, err := l.Report(olderNow())
	if err != nil || n.Idle != 3 || n.Open != [causes]uint64{Crowded: 2} {
		t.Errorf("%d idle, %v met no limits, %v; want 3, and 2 crowded", n.Idle, n.Open, err)
	}
	if s := stands("192.0.2.7", 32); !s.Known || !s.Trusted {
		t.Errorf("%+v; want a trusted client", s)
	}
	if s := stands("192.0.2.8", 32); s.Hangups == (Hangups{}) {
		t.Errorf("%+v; want a hangup", s)
	}
	if version >= withLookups {
		checkOlderLookups(t, l)
	}
}

// checkOlderLookups checks what only a file of version 4 has in it.
func checkOlderLookups(t *testing.T, l *Ledger) {
	t.Helper()
	now := olderNow()
	lists, err := l.Lists(now, []string{"bl.example"})
	if err != nil || lists[0].Asked != 1 || lists[0].Listed != 1 {
		t.Errorf("%+v, %v; want a list that was asked once", lists, err)
	}
	n, _, err := l.Report(now)
	if err != nil || n.Recent.Since.IsZero() || n.Recent.Verdicts[9] == 0 {
		t.Errorf("%+v, %v; want counts of late", n.Recent, err)
	}
	a := Arrival{
		Client:  netip.MustParseAddrPort("192.0.2.9:25"),
		Network: netip.MustParsePrefix("192.0.2.9/32"),
		Limits:  Limits{Rate: 10, Per: time.Hour},
		WideLimits: &[MaxWide]WideLimits{
			{Network: netip.MustParsePrefix("192.0.2.0/24"), Rate: 10, Per: time.Hour}},
	}
	mustAt(t, l, now, func(tx *Tx) {
		if s := tx.Look(a); s.Arrivals != 1 || s.WideCounts[0].Arrivals != 1 {
			t.Errorf("%+v; want an arrival of the network, and of the wider one", s)
		}
		found := tx.Lookup(netip.MustParseAddr("192.0.2.7"), 44)
		if found.State != Asked || string(found.Data) != "clean" {
			t.Errorf("%+v; want what DNS has said", found)
		}
	})
}
