package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// sockets are the socket units that start sendwrap: those that are enabled or, if none is and
// systemd has one of their ports, all that could have it.
func (s *Site) sockets() (all []surroundings.Socket) {
	var disabled []surroundings.Socket
	for _, unit := range s.units {
		switch {
		case !surroundings.Serves(unit.Service.Program()):
		case unit.Enabled:
			all = append(all, unit)
		case s.hasSystemdPort(unit.Values("Socket", "ListenStream")):
			disabled = append(disabled, unit)
		}
	}
	if all == nil {
		return disabled
	}
	return all
}

// hasSystemdPort reports whether systemd listens on one of these ports of mail.
func (s *Site) hasSystemdPort(written []string) bool {
	return slices.ContainsFunc(s.listeners, func(l surroundings.Listener) bool {
		number := strconv.Itoa(int(l.Address.Port()))
		return surroundings.IsPort(written, number, number) &&
			slices.ContainsFunc(l.Processes, func(p surroundings.Process) bool {
				return p.Name == "systemd"
			})
	})
}

// services are those that the sockets start.
func (s *Site) services() (all []surroundings.Unit) {
	for _, unit := range s.sockets() {
		all = append(all, unit.Service)
	}
	return all
}

// atBoot says that systemd has the port for sendwrap, and will not have it after a reboot.
func atBoot(s *Site) []Finding {
	sockets := s.sockets()
	if len(sockets) == 0 || sockets[0].Enabled {
		return nil
	}
	var names []string
	for _, unit := range sockets {
		names = append(names, unit.Name)
	}
	return one("port 25", "systemd has it, and these are not enabled: "+strings.Join(names, ", "),
		"systemctl enable the one that runs")
}

// isOff reports whether a time or a number of systemd switches a limit off.
func isOff(value string) bool { return strings.Trim(value, "0") == "" || value == "0s" }

// systemdRate names limits of starts in a time, after which a unit fails.
func systemdRate(s *Site) (all []Finding) {
	for _, unit := range s.sockets() {
		burst := "200"
		if unit.Room() {
			burst = "20"
		}
		in := unit.Value("Socket", "TriggerLimitIntervalSec", "2s")
		burst = unit.Value("Socket", "TriggerLimitBurst", burst)
		if n, _ := strconv.Atoi(burst); !isOff(in) && !isOff(burst) && n < s.sessions() {
			all = append(all, Finding{Where: unit.Where("Socket", "TriggerLimitIntervalSec"),
				What:  burst + " starts within " + in + ", and the socket fails",
				Write: "write TriggerLimitIntervalSec=0"})
		}
		in = unit.Service.Value("Unit", "StartLimitIntervalSec", "10s")
		if unit.Room() && !isOff(in) {
			all = append(all, Finding{Where: unit.Service.Where("Unit", "StartLimitIntervalSec"),
				What: "after " + unit.Service.Value("Unit", "StartLimitBurst", "5") +
					" starts within " + in + " the service fails, and its socket",
				Write: "write StartLimitIntervalSec=0"})
		}
	}
	return all
}

// socketLimit is a finding on a limit of a socket that starts a process for each client.
func socketLimit(s *Site, key, otherwise string, least int, write string) (all []Finding) {
	for _, unit := range s.sockets() {
		value := unit.Value("Socket", key, otherwise)
		if n, err := strconv.Atoi(value); err == nil && !unit.Room() && n < least {
			all = append(all, Finding{Where: unit.Where("Socket", key), What: key + "=" + value,
				Write: write})
		}
	}
	return all
}

// connections names limits of the connections at one time.
func connections(s *Site) []Finding {
	write := fmt.Sprintf("write MaxConnections=%d", roomy(s.sessions()))
	return slices.Concat(xinetdConnections(s), tcpserverConnections(s),
		socketLimit(s, "MaxConnections", "64", s.sessions(), write))
}

// perSource names limits of a super-server for each client.
func perSource(s *Site) []Finding {
	all := xinetdPerSource(s)
	for _, f := range socketLimit(s, "MaxConnectionsPerSource", "", s.leastOfClient(),
		"remove MaxConnectionsPerSource") {
		if !strings.HasSuffix(f.What, "=0") { // no limit
			all = append(all, f)
		}
	}
	return all
}

// leastOfClient is how many connections of a client a super-server should allow: those that
// sendwrap does.
func (s *Site) leastOfClient() int {
	if s.Config.ClientConns == 0 {
		return s.sessions()
	}
	return s.Config.ClientConns
}

// killMode names services whose sessions end with all of their children.
func killMode(s *Site) (all []Finding) {
	for _, u := range s.services() {
		mode := u.Value("Service", "KillMode", "control-group")
		if mode != "process" && mode != "none" {
			all = append(all, Finding{Where: u.Where("Service", "KillMode"),
				What: "KillMode=" + mode, Write: "write KillMode=process"})
		}
	}
	return all
}

// ready names services that must say that they are ready, and cannot: a process with one client
// never does, and a room is not heard with NotifyAccess=none.
func ready(s *Site) (all []Finding) {
	for _, unit := range s.sockets() {
		u, kind := unit.Service, unit.Service.Value("Service", "Type", "simple")
		switch {
		case !strings.HasPrefix(kind, "notify") && kind != "forking" && kind != "dbus":
		case !unit.Room() || kind == "forking" || kind == "dbus":
			all = append(all, Finding{Where: u.Where("Service", "Type"), What: "Type=" + kind,
				Write: "remove Type"})
		case u.Value("Service", "NotifyAccess", "main") == "none":
			all = append(all, Finding{Where: u.Where("Service", "NotifyAccess"),
				What: "NotifyAccess=none", Write: "write NotifyAccess=main"})
		}
	}
	return all
}

// stderr names services that have the client's socket as their stderr, too.
func stderr(s *Site) (all []Finding) {
	for _, u := range s.services() {
		to := u.Value("Service", "StandardError", "inherit")
		if u.Value("Service", "StandardInput", "") == "socket" &&
			(to == "inherit" || to == "socket") {
			all = append(all, Finding{Where: u.Where("Service", "StandardError"),
				What: "StandardError=" + to, Write: "write StandardError=journal"})
		}
	}
	return all
}
