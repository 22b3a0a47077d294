package doctor

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/surroundings"
)

// milter is how the configuration of an MTA names the guard.
type milter struct {
	where    string
	required bool   // while it does not answer, the MTA refuses mail
	cure     string // of that
	chroot   string // the directory of the smtpd that does not see the socket; ""
}

// guardSocket is where MTAs find the guard: the socket of its unit if that is enabled, or else of
// guard_listen.
func (s *Site) guardSocket() policy.Listen {
	for _, unit := range s.units {
		if unit.Name == "sendwrap-guard.socket" && unit.Enabled {
			if at := unit.Value("Socket", "ListenStream", ""); strings.HasPrefix(at, "/") {
				return policy.Listen{Network: "unix", Address: at}
			}
		}
	}
	return s.Config.GuardListen
}

// milters are the lines of sendmail.cf and main.cf that name the guard.
func (s *Site) milters() []milter {
	at := s.guardSocket()
	return append(s.sendmailMilters(at), s.postfixMilters(at)...)
}

// sendmailMilters are the lines of sendmail.cf, such as
//
//	Xsendwrap, S=local:/run/sendwrap/guard.sock, F=, T=C:5s;S:5s;R:10s;E:10s
//
// F=T has sendmail refuse mail for the time being while the filter does not answer, F=R for good.
func (s *Site) sendmailMilters(at policy.Listen) (all []milter) {
	const cf = "/etc/mail/sendmail.cf"
	text, _ := s.Machine.Text(cf)
	for i, line := range strings.Split(text, "\n") {
		named, isFilter := strings.CutPrefix(line, "X")
		if !isFilter || !namesSocket(named, at) {
			continue
		}
		m := milter{where: cf + ":" + strconv.Itoa(i+1), cure: "write F= (empty) in sendmail.mc"}
		for _, field := range strings.Split(named, ",") {
			flags, found := strings.CutPrefix(strings.TrimSpace(field), "F=")
			m.required = m.required || found && strings.ContainsAny(flags, "TR4")
		}
		all = append(all, m)
	}
	return all
}

// namesSocket reports whether a line names the guard's socket, in the spelling of sendmail or
// Postfix.
func namesSocket(line string, at policy.Listen) bool {
	if at.Network == "unix" {
		return strings.Contains(line, ":"+at.Address)
	}
	host, port, _ := net.SplitHostPort(at.Address)
	return strings.Contains(line, "inet:"+port+"@"+host) ||
		strings.Contains(line, "inet:"+net.JoinHostPort(host, port))
}

const (
	mainCF       = "/etc/postfix/main.cf"
	postfixQueue = "/var/spool/postfix"
)

// postfixMilters are those of main.cf and of smtpd's lines in master.cf.
func (s *Site) postfixMilters(at policy.Listen) (all []milter) {
	settings := mainSettings(s.Machine)
	queue, found := settings["queue_directory"]
	if !found {
		queue = postfixQueue
	}
	inQueue, isInQueue := strings.CutPrefix(at.Address, queue+"/")
	names := func(value string) bool {
		return namesSocket(value, at) || isInQueue && strings.Contains(value, "unix:"+inQueue)
	}
	value, served := settings["smtpd_milters"], false
	for _, p := range postfixServices(s.Machine) {
		if p.command != "smtpd" {
			continue
		}
		served = true
		own := value
		if _, option, found := strings.Cut(p.options, "-o smtpd_milters="); found {
			own, _, _ = strings.Cut(option, " ")
		}
		if !names(own) {
			continue
		}
		m := milter{where: masterCF + ":" + strconv.Itoa(p.line),
			required: settings["milter_default_action"] != "accept" &&
				!strings.Contains(own, "default_action=accept"),
			cure: "write milter_default_action = accept in main.cf"}
		if p.chroot && at.Network == "unix" && !isInQueue {
			m.chroot = queue
		}
		all = append(all, m)
	}
	if !served && names(value) { // an smtpd that something else starts
		all = append(all, milter{where: mainCF, cure: "write milter_default_action = accept",
			required: settings["milter_default_action"] != "accept"})
	}
	return all
}

// mainSettings are those of main.cf.
func mainSettings(m surroundings.Machine) map[string]string {
	all, name := map[string]string{}, ""
	text, _ := m.Text(mainCF)
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.TrimLeft(line, " \t") != line:
			all[name] += " " + trimmed
		default:
			key, value, _ := strings.Cut(trimmed, "=")
			name = strings.TrimSpace(key)
			all[name] = strings.TrimSpace(value)
		}
	}
	return all
}

// guardAnswers reports whether the guard takes connections. It gets one that says nothing.
func guardAnswers(at policy.Listen) bool {
	c, err := net.DialTimeout(at.Network, at.Address, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// requiring are the milters that an MTA insists on.
func (s *Site) requiring() []milter {
	return slices.DeleteFunc(s.milters(), func(m milter) bool { return !m.required })
}

// guardDead says that an MTA names the guard, and none answers. Mail passes all the same.
func guardDead(s *Site) []Finding {
	milters, at := s.milters(), s.guardSocket()
	if len(milters) == 0 || len(s.requiring()) > 0 || guardAnswers(at) {
		return nil
	}
	return one(milters[0].where, "this names the guard, and none answers at "+at.Address,
		"start sendwrap guard, or remove this line")
}

// guardMissing names lines by which an MTA refuses all mail now, since no guard answers.
func guardMissing(s *Site) (all []Finding) {
	milters, at := s.requiring(), s.guardSocket()
	if len(milters) == 0 || guardAnswers(at) {
		return nil
	}
	for _, m := range milters {
		all = append(all, Finding{Where: m.where, Write: "start sendwrap guard",
			What: "the MTA insists on the guard, and none answers at " + at.Address})
	}
	return all
}

// guardRequired names lines by which an MTA would refuse all mail without the guard that answers.
func guardRequired(s *Site) (all []Finding) {
	milters := s.requiring()
	if len(milters) == 0 || !guardAnswers(s.guardSocket()) {
		return nil
	}
	for _, m := range milters {
		all = append(all, Finding{Where: m.where, What: "the MTA insists on the guard",
			Write: m.cure})
	}
	return all
}

// guardUnreachable names lines that name the guard for an smtpd that cannot see its socket.
func guardUnreachable(s *Site) (all []Finding) {
	at := s.guardSocket()
	for _, m := range s.milters() {
		if m.chroot != "" {
			all = append(all, Finding{Where: m.where,
				What: "smtpd is in a chroot, " + m.chroot + ", which does not contain " +
					at.Address,
				Write: "write guard_listen unix:" + m.chroot +
					"/sendwrap/guard.sock owner=postfix"})
		}
	}
	return all
}

// guardUnnamed says that a guard runs, and no configuration of an MTA here names it. MTAs of other
// machines may do so, if it listens on TCP.
func guardUnnamed(s *Site) []Finding {
	at := s.guardSocket()
	runs := slices.ContainsFunc(s.ours(), func(p surroundings.Process) bool {
		return p.Name == exec.GuardName && p.IsHere()
	})
	if !runs || at.Network != "unix" || len(s.milters()) > 0 {
		return nil
	}
	return one(at.Address, "a guard runs, and neither sendmail.cf nor main.cf names it",
		"name it there: OPERATIONS, The guard")
}
