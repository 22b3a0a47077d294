package doctor

import (
	"fmt"
	"slices"
	"strings"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/surroundings"
)

// superServers are programs that hold a port to start others, by their names in /proc/PID/comm, of
// which a configuration says what they start.
var superServers = []string{"inetd", "xinetd", "systemd"}

// portHolders are programs that hold port 25 to start sendwrap, and the room, which was called
// sendwrap up to version 0.9.
var portHolders = append([]string{exec.RoomName, "sendwrap", "tcpserver", "s6-tcpserverd", "tcpsvd",
	"busybox"}, superServers...)

// otherOnPort names the program that has port 25, unless it is one of portHolders; or a
// super-server that does not start sendwrap there.
func otherOnPort(s *Site) []Finding {
	holder := surroundings.Process{}
	for _, l := range s.listeners {
		for _, p := range l.Processes {
			if l.Address.Port() != smtp {
				continue
			}
			if slices.Contains(portHolders, p.Name) &&
				(!slices.Contains(superServers, p.Name) || s.servesPort25(p.Name) ||
					hasOwnFile(p)) {
				return nil
			}
			holder = p
		}
	}
	write := "unless it starts sendwrap, stop it"
	switch {
	case holder.PID == 0:
		return nil
	case slices.Contains(superServers, holder.Name):
		write = "have it start sendwrap there, and restart it"
	}
	return one("port 25", fmt.Sprintf("it is held by %q (process %d)", holder.Name, holder.PID),
		write)
}

// hasOwnFile reports whether a super-server was told to read another configuration than the usual.
func hasOwnFile(p surroundings.Process) bool {
	return slices.ContainsFunc(p.Command, func(arg string) bool {
		return strings.HasSuffix(arg, ".conf")
	})
}

// servesPort25 reports whether a super-server starts sendwrap at port 25, by its configuration. A
// socket of systemd does so, too, if it was started and not enabled.
func (s *Site) servesPort25(superServer string) bool {
	return slices.ContainsFunc(s.starters, func(one surroundings.Starter) bool {
		return one.By == superServer && (one.On || one.By == "systemd") &&
			surroundings.IsPort(one.Ports, "25", "smtp")
	})
}

// unserved says that nobody has port 25.
func unserved(s *Site) []Finding {
	if slices.ContainsFunc(s.listeners, func(l surroundings.Listener) bool {
		return l.Address.Port() == smtp
	}) {
		return nil
	}
	write := "start the super-server, or see README, Install"
	if s.Machine.Has(config.SetupDir()) {
		write = "start the super-server, or sendwrap setup -undo"
	}
	return one("port 25", "nobody listens", write)
}

// submission says that sendwrap has a port for mail programs.
func submission(s *Site) (all []Finding) {
	for _, starter := range s.starters {
		for _, port := range []struct{ number, service string }{
			{"465", "smtps"}, {"465", "submissions"}, {"587", "submission"},
		} {
			if starter.On && surroundings.IsPort(starter.Ports, port.number, port.service) {
				all = append(all, Finding{Where: starter.Where,
					What:  "sendwrap is to have port " + port.number,
					Write: "leave that port to the MTA's own daemon"})
				break
			}
		}
	}
	return all
}
