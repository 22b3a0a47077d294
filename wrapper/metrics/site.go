package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sendwrap/allowlist"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/outside"
)

const readLedgerEvery = time.Second

// Site is a configuration and the ledger that it names. It may be used by several goroutines.
type Site struct {
	mu sync.Mutex // of all that follows
	*outside.View
	last   []prometheus.Metric
	lastAt time.Time
}

// Open reads the configuration. The error says that there is none, and is that of [config.Load].
func Open(file string) (*Site, error) {
	v, err := outside.Open(file, allowlist.All)
	return &Site{View: v}, err
}

// reading is what one look has found. Without a ledger the counts are zero.
type reading struct {
	usable   bool
	totals   ledger.Totals
	networks ledger.Networks
	lists    []ledger.List
	lookups  struct{ kept, limit int }
	rooms    []ledger.Room
	sharing  ledger.Sharing
}

// read looks at the ledger.
func (s *Site) read() (r reading) {
	missing := s.Refresh()
	r.lists = make([]ledger.List, len(s.Config.Lists))
	if missing != nil {
		return r
	}
	now, l := ledger.Now(), s.Ledger
	zones := make([]string, len(s.Config.Lists))
	for i := range zones {
		zones[i] = s.Config.Lists[i].Zone
	}
	got := r
	var errs [5]error
	got.totals, _, errs[0] = l.Report(now)
	got.networks, errs[1] = l.CountNetworks(now)
	got.lists, errs[2] = l.Lists(now, zones)
	got.lookups.kept, got.lookups.limit, errs[3] = l.CountLookups(now)
	got.sharing, errs[4] = l.Sharing(now)
	if errs != [5]error{} {
		return r
	}
	got.rooms, got.usable = l.Rooms(now), true
	return got
}

// Describe is that of a collector whose metrics depend on the configuration.
func (s *Site) Describe(chan<- *prometheus.Desc) {}

// Collect reads all numbers, at most once a second.
func (s *Site) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || time.Since(s.lastAt) >= readLedgerEvery {
		s.last, s.lastAt = s.metrics(s.read()), time.Now()
	}
	for _, m := range s.last {
		to <- m
	}
}
