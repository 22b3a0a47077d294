package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

const (
	readConfigEvery = time.Minute // a hundred thousand networks take most of a second
	readLedgerEvery = time.Second
)

// Site is a configuration and the ledger that it names. It may be used by several goroutines.
type Site struct {
	file string

	mu       sync.Mutex // of all that follows
	config   *config.Config
	readable bool // at the last look
	mistakes int
	configAt time.Time
	ledger   *ledger.Ledger
	path     string // of ledger
	last     []prometheus.Metric
	lastAt   time.Time
}

// Open reads the configuration. The error says that there is none, and is that of [config.Load].
func Open(file string) (*Site, error) {
	s := &Site{file: file}
	return s, s.readConfig()
}

// Close lets go of the ledger.
func (s *Site) Close() error { return s.ledger.Close() }

// readConfig reads the configuration again. Where that fails, the one before stays.
func (s *Site) readConfig() error {
	cfg, err := config.Load(s.file, allowlist.All())
	s.configAt, s.readable = time.Now(), cfg != nil
	if cfg == nil {
		return err
	}
	s.config, s.mistakes = cfg, len(config.LogLines(err, ""))
	return nil
}

// reopen opens the ledger that the configuration names, if it is another one by now. The error says
// why there is none.
func (s *Site) reopen() (err error) {
	path := s.config.Ledger.Path
	if !s.ledger.Replaced() && s.path == path {
		return nil
	}
	_ = s.ledger.Close()
	s.path = path
	s.ledger, err = ledger.OpenReadOnly(path)
	return err
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
	r.lists = make([]ledger.List, len(s.config.Lists))
	if s.reopen() != nil {
		return r
	}
	now, l := ledger.Now(), s.ledger
	zones := make([]string, len(s.config.Lists))
	for i := range zones {
		zones[i] = s.config.Lists[i].Zone
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
	if time.Since(s.configAt) >= readConfigEvery {
		_ = s.readConfig() // a metric says so
	}
	if s.last == nil || time.Since(s.lastAt) >= readLedgerEvery {
		s.last, s.lastAt = s.metrics(s.read()), time.Now()
	}
	for _, m := range s.last {
		to <- m
	}
}
