package surroundings

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Starter is something that starts sendwrap for clients, or would.
type Starter struct {
	By    string   // inetd, xinetd, systemd, tcpserver, or sendwrap: it listens by itself
	Where string   // FILE:LINE, FILE, or process PID
	Ports []string // as they are written: 25, smtp, 192.0.2.1:25
	On    bool     // it is not switched off; for systemd: it is enabled
	Room  bool     // one process has all clients
}

// Starters are the lines, services and units that start sendwrap for clients, and the running
// processes that do so without being configured in one of these. A line of inetd.conf with another
// program before sendwrap, such as tcpd, is one, too.
func (m Machine) Starters() (all []Starter) {
	for _, l := range m.InetdLines() {
		if Sendwrap(l.Program) != "" {
			all = append(all, Starter{"inetd", l.Where(), []string{l.Service}, !l.Off, l.Room})
		}
	}
	for _, s := range m.XinetdServices() {
		if Sendwrap(s.Program()) != "" {
			port := s.Value("port", s.Name)
			if bind := s.Value("bind", s.Value("interface", "")); bind != "" {
				port = bind + ":" + port
			}
			on := !s.Off && s.Unread == ""
			all = append(all, Starter{"xinetd", s.Where(), []string{port}, on, s.Room()})
		}
	}
	for _, s := range m.Sockets() {
		if Serves(s.Service.Program()) {
			all = append(all, Starter{"systemd", s.File, s.Values("Socket", "ListenStream"),
				s.Enabled, s.Room()})
		}
	}
	for _, u := range m.Services("sendwrap") {
		if command := u.Program(); isListening(command) {
			all = append(all, Starter{"systemd", u.File, ports(command), u.Enabled, true})
		}
	}
	return append(all, startingProcesses()...)
}

// startingProcesses are the processes of tcpserver that start sendwrap, and those of sendwrap that
// listen by themselves, at ports of ours.
func startingProcesses() (all []Starter) {
	for _, p := range Processes() {
		if !p.IsHere() {
			continue
		}
		where := fmt.Sprintf("process %d", p.PID)
		switch t, isTcpserver := ParseTcpserver(p.Command); {
		case isTcpserver && Sendwrap(t.Program) != "":
			all = append(all, Starter{"tcpserver", where, []string{t.Port}, true, false})
		case isListening(p.Command):
			all = append(all, Starter{"sendwrap", where, ports(p.Command), true, true})
		}
	}
	return all
}

// Serves reports whether a command is a sendwrap that serves the socket on its stdin.
func Serves(command []string) bool {
	return len(command) > 0 && Sendwrap(command[:1]) != "" &&
		(len(command) == 1 || strings.HasPrefix(command[1], "-f"))
}

// isListening reports whether a command is sendwrap listen.
func isListening(command []string) bool {
	return len(command) > 2 && strings.HasPrefix(filepath.Base(command[0]), "sendwrap") &&
		command[1] == "listen"
}

// ports are the addresses of a sendwrap listen: behind -f FILE, in one word or two.
func ports(command []string) []string {
	addresses := command[2:]
	for len(addresses) > 0 && strings.HasPrefix(addresses[0], "-") {
		words := 2
		if strings.Contains(addresses[0], "=") {
			words = 1
		}
		addresses = addresses[min(words, len(addresses)):]
	}
	return addresses
}

// IsPort reports whether one of the ports of a starter is this one: as a number, as a service's
// name, or behind an address.
func IsPort(written []string, number, service string) bool {
	return slices.ContainsFunc(written, func(port string) bool {
		port = port[strings.LastIndexByte(port, ':')+1:]
		return port == number || port == service
	})
}

// SuperServers are those that are installed, by their names: inetd, xinetd, systemd, tcpserver.
// systemd is one only where it runs the machine.
func (m Machine) SuperServers() (names []string) {
	for _, one := range []struct{ name, file string }{
		{"inetd", "/usr/sbin/inetd"}, {"xinetd", "/usr/sbin/xinetd"},
		{"systemd", "/run/systemd/system"}, {"tcpserver", "/usr/bin/tcpserver"},
	} {
		if m.Has(one.file) {
			names = append(names, one.name)
		}
	}
	return names
}
