package top

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/outside"
)

const (
	lookEvery = time.Second
	// lookShare bounds the processor time of looks: the pause after one is that many times as long.
	lookShare = 100
)

// Site is a configuration and the ledger that it names.
type Site struct {
	*outside.View
	looked bool // at that ledger
}

// Open reads the configuration. The error says that there is none, and is that of [config.Load].
func Open(file string) (*Site, error) {
	noNetworks := func() *allowlist.List { return allowlist.For() }
	v, err := outside.Open(file, noNetworks)
	return &Site{View: v}, err
}

// look is one look at everything, for networks that the filter lets through. pause is how long to
// wait until the next.
func (s *Site) look(filter string) (p *Picture, pause time.Duration) {
	began := processorTime()
	err := s.Refresh()
	p = &Picture{Config: s.Config, filter: filter}
	if err == nil {
		err = s.read(p)
	}
	p.fillTables()
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w; the first client makes it", err)
	}
	if err = cmp.Or(err, s.Unread); err != nil {
		p.Trouble = err.Error()
		if errors.Is(err, os.ErrPermission) {
			p.Trouble += "; try as root"
		}
	}
	return p, s.pauseAfter(processorTime()-began, p.usable)
}

// pauseAfter is the pause after a look that has used so much of a processor: looks take one percent
// of it at most, however large the ledger. The first at a ledger does not count, since it maps all
// pages.
func (s *Site) pauseAfter(used time.Duration, usable bool) time.Duration {
	first := !s.looked
	if s.looked = usable; first {
		return lookEvery
	}
	return max(lookEvery, lookShare*used)
}

// read puts what the ledger holds into the picture.
func (s *Site) read(p *Picture) error {
	now := ledger.Now()
	p.At = now.Wall
	totals, live, err := s.Ledger.Report(now)
	if err != nil {
		return err
	}
	p.Totals, p.Rooms = totals, s.Ledger.Rooms(now)
	p.addSessions(live)
	if err := s.Ledger.Records(now, p.addRecord); err != nil {
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
