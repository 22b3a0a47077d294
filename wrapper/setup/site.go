package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/surroundings"
)

// The ports that a plan is about.
const (
	smtp       = 25
	submission = 587
	smtps      = 465
)

// Site is a machine as it is found, and what is to be put there.
type Site struct {
	surroundings.Machine
	Config    *config.Config
	Program   string                  // the sendwrap that serves clients
	Packaging fs.FS                   // the files of packaging/
	Listeners []surroundings.Listener // of ports 25, 465 and 587
	Running   []string                // the names of all processes
	Made      string                  // what m4 makes from sendmail.mc, if the MTA is sendmail
	Exim      map[string]string       // some of its main options, if the MTA is Exim
}

// Look returns this machine. Only root sees who listens. It asks the MTA, and changes nothing.
func Look(c *config.Config, program string, packaging fs.FS) (*Site, error) {
	s := &Site{
		Machine: surroundings.Here(), Config: c, Program: program, Packaging: packaging,
		Listeners: surroundings.Listeners(smtp, submission, smtps),
	}
	for _, p := range surroundings.Processes() {
		if p.IsHere() {
			s.Running = append(s.Running, p.Name)
		}
	}
	var err error
	switch s.MTA(c.MTA[0]).Kind {
	case surroundings.Sendmail:
		s.Made, err = makeCF()
	case surroundings.Exim:
		s.Exim, err = askExim()
	}
	return s, err
}

// Plan is how to put sendwrap in front of the MTA. The error says why that is not known, and what
// to do.
func (s *Site) Plan() (*Plan, error) {
	kind, err := s.mta()
	if err != nil {
		return nil, err
	}
	start, err := s.starter()
	if err != nil {
		return nil, err
	}
	observe, err := s.observe()
	if err != nil {
		return nil, err
	}
	giveUp := s.sendmail
	if kind == surroundings.Exim {
		giveUp = s.exim
	}
	freed, err := giveUp()
	if err != nil {
		return nil, err
	}
	taken, err := start.steps()
	if err != nil {
		return nil, err
	}
	return &Plan{
		Found: s.found(kind, start),
		Steps: slices.Concat(observe, freed, taken),
		Goal:  s.goal(start.process),
	}, nil
}

const (
	chapterMTA    = `; see OPERATIONS, "Which MTA it is"`
	chapterStart  = `; see OPERATIONS, "A process for each client, or the room"`
	chapterDebian = `; see OPERATIONS, "Debian and sendmail in ten lines"`
)

// mta is the MTA that has port 25, and is the one of the mta line.
func (s *Site) mta() (surroundings.Kind, error) {
	for _, starter := range s.Starters() {
		if starter.On && surroundings.IsPort(starter.Ports, "25", "smtp") {
			return "", fmt.Errorf("%s: sendwrap is started there for port 25 already: "+
				"nothing to set up; see sendwrap check", starter.Where)
		}
	}
	l, found := s.first(smtp)
	if !found {
		return "", errors.New("no program has port 25, so setup does not know what to put " +
			"sendwrap in front of; start the MTA, then type it again")
	}
	if err := s.isOneService(l); err != nil {
		return "", err
	}
	name, pid := holder(l)
	kind := surroundings.Other
	switch {
	case strings.HasPrefix(name, "sendmail"):
		kind = surroundings.Sendmail
	case strings.HasPrefix(name, "exim"):
		kind = surroundings.Exim
	default:
		return "", fmt.Errorf("port 25 is held by %q (process %d), and setup knows only the "+
			"daemons of sendmail and Exim%s", name, pid, chapterMTA)
	}
	if mta := s.MTA(s.Config.MTA[0]); mta.Kind != kind {
		return "", fmt.Errorf("%s: mta: %s is not the %s that has port 25%s",
			s.Config.Place("mta"), s.Config.MTA[0], kind, chapterMTA)
	}
	return kind, nil
}

// holder is the program that has a socket.
func holder(l surroundings.Listener) (name string, pid int) {
	if len(l.Processes) == 0 {
		return "", 0
	}
	return l.Processes[0].Name, l.Processes[0].PID
}

// isOneService returns why port 25 cannot be taken over as a whole, if another program than that of
// this socket has a part of it, or if IPv6 is open for all, and IPv4 is not.
func (s *Site) isOneService(first surroundings.Listener) error {
	name, _ := holder(first)
	var addrs []netip.Addr
	for _, l := range s.Listeners {
		if l.Address.Port() != smtp {
			continue
		}
		if other, pid := holder(l); other != name {
			return fmt.Errorf("port 25 is held at %v by %q, and at %v by %q (process %d), and "+
				"setup takes it from one program only%s", first.Address.Addr(), name,
				l.Address.Addr(), other, pid, chapterStart)
		}
		addrs = append(addrs, l.Address.Addr())
	}
	isBound := func(a netip.Addr) bool { return a.Is4() && !a.IsUnspecified() }
	if i := slices.IndexFunc(addrs, isBound); i >= 0 &&
		slices.Contains(addrs, netip.IPv6Unspecified()) {
		return fmt.Errorf("port 25 is open at all addresses of IPv6, but for IPv4 at %v, and "+
			"setup cannot have it so; have the MTA listen at single addresses, or at all",
			addrs[i])
	}
	return nil
}

// first is the first socket that listens on a port.
func (s *Site) first(port uint16) (l surroundings.Listener, found bool) {
	i := slices.IndexFunc(s.Listeners, func(l surroundings.Listener) bool {
		return l.Address.Port() == port
	})
	if i < 0 {
		return l, false
	}
	return s.Listeners[i], true
}

// addresses are those at which port 25 is open; nil = at all, IPv4 and IPv6.
func (s *Site) addresses() (all []netip.Addr) {
	for _, l := range s.Listeners {
		if l.Address.Port() != smtp {
			continue
		}
		if l.Address.Addr() == netip.IPv6Unspecified() {
			return nil
		}
		all = append(all, l.Address.Addr())
	}
	return all
}

// goal is that all is served that is served now.
func (s *Site) goal(starter string) Goal {
	g := Goal{Starter: starter, Delay: s.Config.GreetDelay, Listens: patience}
	for _, l := range s.Listeners {
		at := l.Address
		if at.Addr().IsUnspecified() {
			here := netip.IPv6Loopback()
			if at.Addr().Is4() {
				here = netip.AddrFrom4([4]byte{127, 0, 0, 1})
			}
			at = netip.AddrPortFrom(here, at.Port())
		}
		if at.Port() == smtps { // TLS begins there, and no greeting
			g.Open = append(g.Open, at)
		} else {
			g.Greeted = append(g.Greeted, at)
		}
	}
	return g
}

// found says what a plan goes by.
func (s *Site) found(kind surroundings.Kind, start starter) (lines []string) {
	for _, l := range s.Listeners {
		holder := "another program"
		if len(l.Processes) > 0 {
			holder = fmt.Sprintf("%s (process %d)", l.Processes[0].Name, l.Processes[0].PID)
		}
		lines = append(lines, fmt.Sprintf("%v: %s", l.Address, holder))
	}
	return append(lines, fmt.Sprintf("%s stays, but for port 25, which %s gets: it starts %s",
		kind, start.name, s.Program))
}

// observe is the step that lets everybody pass at first.
func (s *Site) observe() ([]Step, error) {
	if s.Config.Mode == policy.Observe {
		return nil, nil
	}
	if place := s.Config.Place("mode"); place != s.Config.Files[0] {
		return nil, fmt.Errorf("%s: mode enforce; setup begins with mode observe: "+
			"remove this line", place)
	}
	name := s.Config.Files[0]
	old, found := s.Text(name)
	if !found {
		return nil, fmt.Errorf("%s: cannot be read", name)
	}
	return []Step{{
		What: name + ": nobody is refused at first",
		File: &File{Name: name, Old: old, Text: withLine(old, "mode observe"), Loose: true},
	}}, nil
}

// withLine is a text with a line at its end.
func withLine(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}
