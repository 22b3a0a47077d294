package doctor

import (
	"os"
	"path/filepath"
	"strconv"

	"sendwrap/wrapper/surroundings"
)

// updateConf is of Debian's sendmail, which runs update-inetd.
const updateConf = "/usr/share/sendmail/update_conf"

// inetdStarts are the lines of inetd.conf that start sendwrap and are switched on.
func (s *Site) inetdStarts() (all []surroundings.InetdLine) {
	for _, l := range s.inetd {
		if !l.Off && surroundings.Sendwrap(l.Program) != "" {
			all = append(all, l)
		}
	}
	return all
}

const cureOfSMTP = "write 25 in place of smtp"

// switchedOff names what would start sendwrap and is switched off, if nothing has it at port 25.
// The package has all of systemd's units and xinetd's services, and has them off: those units are
// not among these, and those services are only if nobody has the port.
func switchedOff(s *Site) (all []Finding) {
	if s.startsAt25() {
		return nil
	}
	for _, l := range s.inetd {
		if l.Off && surroundings.Sendwrap(l.Program) != "" {
			all = append(all, Finding{Where: l.Where(), What: "this line is switched off",
				Write: "remove #<off>#, " + cureOfSMTP})
		}
	}
	for _, x := range s.xinetdStarts() {
		switch {
		case x.Unread != "":
			all = append(all, Finding{Where: x.File, What: "xinetd does not read this file: " +
				x.Unread, Write: "rename it"})
		case x.Off && unserved(s) != nil:
			all = append(all, Finding{Where: x.Where(), What: "this service is disabled",
				Write: "write disable = no"})
		}
	}
	return all
}

// smtpLine names the only line that starts sendwrap, if Debian's sendmail will switch it off: it
// has update-inetd do so with lines that begin with smtp.
func smtpLine(s *Site) (all []Finding) {
	if !s.Machine.Has(updateConf) {
		return nil
	}
	for _, l := range s.inetdStarts() {
		if l.Service != "smtp" {
			return nil
		}
		all = append(all, Finding{Where: l.Where(), What: "it begins with smtp", Write: cureOfSMTP})
	}
	return all
}

// user names starters as another user than root.
func user(s *Site) (all []Finding) {
	add := func(where, name string) {
		if name != "root" && name != "0" {
			all = append(all, Finding{Where: where, What: "user " + name, Write: "write root"})
		}
	}
	for _, l := range s.inetdStarts() {
		add(l.Where(), l.User)
	}
	for _, x := range s.xinetdOn() {
		add(x.Where(), x.Value("user", "root"))
	}
	for _, u := range s.services() {
		add(u.Where("Service", "User"), u.Value("Service", "User", "root"))
	}
	return all
}

// program names starters whose sendwrap does not exist.
func program(s *Site) (all []Finding) {
	add := func(where string, command []string) {
		path := surroundings.Sendwrap(command)
		if filepath.IsAbs(path) && !s.Machine.Has(path) {
			self, _ := os.Executable()
			all = append(all, Finding{Where: where, What: "no such file " + path,
				Write: "write " + self})
		}
	}
	for _, l := range s.inetdStarts() {
		add(l.Where(), l.Program)
	}
	for _, x := range s.xinetdOn() {
		add(x.Where(), x.Program())
	}
	for _, u := range s.services() {
		add(u.Where("Service", "ExecStart"), u.Program())
	}
	return all
}

// inetdDefault is how many starts a minute an inetd allows without a number, or with 0.
const inetdDefault = 256

// starts names limits of starts in a time, after which a super-server shuts the port for a while.
func starts(s *Site) (all []Finding) {
	for _, l := range s.inetdStarts() {
		most, _ := strconv.Atoi(l.Max)
		what := "nowait." + l.Max
		if l.Max == "" {
			what = "nowait without a number"
		}
		if most == 0 {
			most = inetdDefault
		}
		if !l.Room && most < s.sessions() {
			all = append(all, Finding{Where: l.Where(), What: what + ", so " +
				strconv.Itoa(most) + " starts in a minute, and then inetd closes the port for " +
				"ten minutes", Write: "write nowait.60000"})
		}
	}
	return append(append(all, xinetdRate(s)...), systemdRate(s)...)
}
