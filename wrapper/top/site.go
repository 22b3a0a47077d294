package top

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

const (
	readConfigEvery = time.Minute // a hundred thousand networks take most of a second
	lookEvery       = time.Second
	// lookShare bounds the processor time of looks: the pause after one is that many times as long.
	lookShare = 100
)

// Site is a configuration and the ledger that it names.
type Site struct {
	file     string
	config   *config.Config
	configAt time.Time
	ledger   *ledger.Ledger
	path     string // of ledger
	looked   bool   // at that ledger
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
	cfg, err := config.Load(s.file, allowlist.For())
	s.configAt = time.Now()
	if cfg == nil {
		return err
	}
	s.config = cfg
	return nil
}

// reopen opens the ledger that the configuration names, if it is another one by now.
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

// look is one look at everything, for networks that the filter lets through. pause is how long to
// wait until the next: looks take one percent of a processor at most, however large the ledger. The
// first does not count, since it maps all pages.
func (s *Site) look(filter string) (p *Picture, pause time.Duration) {
	began := processorTime()
	var unread error // the configuration before goes on
	if time.Since(s.configAt) >= readConfigEvery {
		unread = s.readConfig()
	}
	p = &Picture{Config: s.config, filter: filter}
	err := s.read(p)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; the first client makes it", err)
	}
	if err = cmp.Or(err, unread); err != nil {
		p.Trouble = err.Error()
		if errors.Is(err, os.ErrPermission) {
			p.Trouble += "; try as root"
		}
	}
	first := !s.looked
	if s.looked = p.usable; first {
		return p, lookEvery
	}
	return p, max(lookEvery, lookShare*(processorTime()-began))
}

func (s *Site) read(p *Picture) error {
	if err := s.reopen(); err != nil {
		return err
	}
	now := ledger.Now()
	p.At = now.Wall
	totals, live, err := s.ledger.Report(now)
	if err != nil {
		return err
	}
	p.Totals, p.Rooms = totals, s.ledger.Rooms(now)
	p.addSessions(live)
	if err := s.ledger.Records(now, p.addRecord); err != nil {
		return err
	}
	p.usable = true
	return nil
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
