package doctor

import (
	"strconv"
	"strings"

	"sendwrap/wrapper/surroundings"
)

// xinetdStarts are the services of xinetd that start sendwrap, or would.
func (s *Site) xinetdStarts() (all []surroundings.XinetdService) {
	for _, x := range s.xinetd {
		if surroundings.Sendwrap(x.Program()) != "" {
			all = append(all, x)
		}
	}
	return all
}

// xinetdOn are those that are switched on.
func (s *Site) xinetdOn() (all []surroundings.XinetdService) {
	for _, x := range s.xinetdStarts() {
		if !x.Off && x.Unread == "" {
			all = append(all, x)
		}
	}
	return all
}

// unlimited is a limit of xinetd that is none.
const unlimited = "UNLIMITED"

// xinetdLimit is a finding on a limit that is below least; 0 is always too low.
func xinetdLimit(x *surroundings.XinetdService, name, otherwise string, least int,
	write string) []Finding {
	value := x.Value(name, otherwise)
	n, err := strconv.Atoi(value)
	if value == unlimited || err != nil || n >= least && n > 0 {
		return nil
	}
	return one(x.Where(), name+" "+value, write)
}

// xinetdRate names services that pause after some connections in one second. A room is started
// once.
func xinetdRate(s *Site) (all []Finding) {
	for _, x := range s.xinetdOn() {
		if !x.Room() {
			all = append(all, xinetdLimit(&x, "cps", "50", s.sessions(), "write cps = 10000 1")...)
		}
	}
	return all
}

// xinetdConnections names services that have fewer connections than sendwrap allows.
func xinetdConnections(s *Site) (all []Finding) {
	for _, x := range s.xinetdOn() {
		if !x.Room() {
			all = append(all, xinetdLimit(&x, "instances", unlimited, s.sessions(),
				"write instances = "+strconv.Itoa(roomy(s.sessions())))...)
		}
	}
	return all
}

// xinetdPerSource names services that allow a client fewer connections than sendwrap does.
func xinetdPerSource(s *Site) (all []Finding) {
	for _, x := range s.xinetdOn() {
		if !x.Room() {
			all = append(all, xinetdLimit(&x, "per_source", unlimited, s.leastOfClient(),
				"write per_source = UNLIMITED")...)
		}
	}
	return all
}

// roomy is a limit for a super-server: the sessions that sendwrap allows, and some for clients that
// are just being refused.
func roomy(sessions int) int { return (sessions + sessions/8 + 99) / 100 * 100 }

// leastSpace is how many bytes of addresses a Go program reserves when it starts, and some more.
const leastSpace = 1 << 30

// addressSpace names limits of the address space below that.
func addressSpace(s *Site) (all []Finding) {
	add := func(where, name, value, write string) {
		if size, ok := bytesOf(value); ok && size < leastSpace {
			all = append(all, Finding{Where: where, What: name + " " + value, Write: write})
		}
	}
	for _, x := range s.xinetdOn() {
		add(x.Where(), "rlimit_as", x.Value("rlimit_as", unlimited), "remove rlimit_as")
	}
	for _, u := range s.services() {
		soft, _, _ := strings.Cut(u.Value("Service", "LimitAS", "infinity"), ":")
		add(u.Where("Service", "LimitAS"), "LimitAS", soft, "write LimitAS=infinity")
	}
	return all
}

// bytesOf reads a size as xinetd and systemd write it: 512M.
func bytesOf(text string) (size uint64, ok bool) {
	const units = "KMGT"
	number := strings.TrimRight(text, units)
	size, err := strconv.ParseUint(number, 10, 64)
	for _, unit := range text[len(number):] {
		for range strings.IndexRune(units, unit) + 1 {
			size *= 1024
		}
	}
	return size, err == nil
}
