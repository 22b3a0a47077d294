package share

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// checkTime is for the courier's report.
const checkTime = 30 * time.Second

// Check says how it stands with the engine, the other machines and this one's ledger, in lines for
// people. ok is false if something must be done.
func Check(o Options, cfg *config.Config) (lines []string, ok bool, err error) {
	if len(cfg.Share.Engines) == 0 {
		return nil, false, off(cfg)
	}
	settings, err := settingsOf(cfg)
	if err != nil {
		return nil, false, err
	}
	l := ledger.Handle{Options: ledger.Options{Path: cfg.Ledger.Path}}
	var s ledger.Sharing
	if l.OpenExisting() == nil {
		s, _ = l.Sharing(ledger.Now())
		_ = l.Close()
	}
	settings.Name, settings.Check = Name(cfg), true
	settings.Instance = strconv.FormatUint(s.Instance, 16)
	p, err := start(o.Courier, settings)
	if err != nil {
		return nil, false, err
	}
	defer p.stop()
	select {
	case report, open := <-p.packets:
		if !open || report.verb != wire.Report || len(report.lines) == 0 {
			return nil, false, errors.New("the courier has ended without a report")
		}
		ok = report.lines[0] == "ok" && (s.Connected || !s.On)
		for _, line := range report.lines[1:] {
			lines = append(lines, printable(line))
		}
	case <-time.After(checkTime):
		return nil, false, errors.New("the engine does not answer; see whether it is stopped")
	}
	return append(lines, describe(settings.Name, &s)...), ok, nil
}

func off(cfg *config.Config) error {
	return errors.New(cfg.Place("share_engine") +
		": share_engine is off; write share_engine valkey://HOST")
}

// printable is a line of which parts come from whoever can write to the engine.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, line)
}

// describe says what this machine's ledger knows of sharing.
func describe(name string, s *ledger.Sharing) (lines []string) {
	switch {
	case !s.On:
		return []string{name + ": sendwrap share has not run here; start it"}
	case !s.Connected:
		lines = append(lines, name+": is not connected; its log says why")
	}
	lines = append(lines, fmt.Sprintf("%s: events: %d to send, %d lost, %d refused", name,
		s.Waiting, s.Lost, s.Refused))
	for _, o := range s.Origins {
		lines = append(lines, fmt.Sprintf("%s: events: %d applied, %d refused, the last %v ago",
			o.Name, o.Applied, o.Refused, o.Heard.Round(time.Second)))
	}
	return lines
}
