package setup

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// starter is what will start sendwrap for each client.
type starter struct {
	name    string // as people call it
	process string // its name in /proc/PID/comm
	steps   func() ([]Step, error)
}

// starter is the super-server that runs, or else one that is installed. inetd and xinetd come
// before systemd: where they run, an administrator wants that.
func (s *Site) starter() (starter, error) {
	all := []starter{
		{"inetd", "inetd", s.inetd}, {"xinetd", "xinetd", s.xinetd},
		{"systemd", "systemd", s.systemd},
	}
	installed := s.SuperServers()
	for _, one := range all {
		if slices.Contains(installed, one.name) && slices.Contains(s.Running, one.process) {
			return one, nil
		}
	}
	for _, one := range all {
		if slices.Contains(installed, one.name) {
			return one, nil
		}
	}
	return starter{}, errors.New("no inetd, no xinetd, and systemd does not run this machine; " +
		"install openbsd-inetd, or in a container start sendwrap listen 25" + chapterStart)
}

// inetd has it start sendwrap.
func (s *Site) inetd() ([]Step, error) {
	for _, l := range s.InetdLines() {
		if !l.Off && surroundings.IsPort([]string{l.Service}, "25", "smtp") {
			return nil, fmt.Errorf("%s: inetd starts %s for port 25; write %s in its place%s",
				l.Where(), l.Program[0], s.Program, chapterStart)
		}
	}
	const script = "/etc/init.d/openbsd-inetd"
	if !s.Has(script) {
		return nil, fmt.Errorf("no %s: setup knows no other inetd; install openbsd-inetd, or "+
			"write inetd's line yourself%s", script, chapterStart)
	}
	old, _ := s.Text(surroundings.InetdConf)
	text := old
	at := s.addresses()
	for _, addr := range at {
		protocol := "tcp4" // tcp is both, and inetd logs an error for the other
		if addr.Is6() {
			protocol = "tcp6"
		}
		text = withLine(text, s.inetdLine(host(addr)+":25", protocol))
	}
	if at == nil {
		text = withLine(text, s.inetdLine("25", "tcp"))
	}
	return s.service("openbsd-inetd", "inetd", Step{
		What: surroundings.InetdConf + ": inetd starts sendwrap",
		File: &File{Name: surroundings.InetdConf, Old: old, Text: text, Mode: 0o644},
	}), nil
}

func (s *Site) inetdLine(port, protocol string) string {
	return port + " stream " + protocol + " nowait.60000 root " + s.Program + " sendwrap"
}

// service has a super-server read a file, on both ways. One that does not run starts, and stops on
// the way back.
func (s *Site) service(name, process string, files ...Step) []Step {
	begin, end := "start", "stop"
	if slices.Contains(s.Running, process) {
		begin, end = "reload", "reload"
	}
	steps := []Step{{What: process + " without sendwrap", Undo: "service " + name + " " + end}}
	steps = append(steps, files...)
	return append(steps, Step{What: process + " reads that", Do: "service " + name + " " + begin})
}

// packaged is a file of packaging/, as make install writes it: with the path of this sendwrap.
func (s *Site) packaged(name string) (string, error) {
	text, err := fs.ReadFile(s.Packaging, "packaging/"+name)
	return strings.ReplaceAll(string(text), "/usr/local/sbin/sendwrap", s.Program), err
}

// replaceLine replaces what occurs once.
func replaceLine(text, from, to string) (replaced string, found bool) {
	return strings.Replace(text, from, to, 1), strings.Count(text, from) == 1
}

// host is an address before a colon and a port.
func host(addr netip.Addr) string {
	if addr.Is6() {
		return "[" + addr.String() + "]"
	}
	return addr.String()
}
