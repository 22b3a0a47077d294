package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

// This file looks for what keeps clients from sendwrap on this machine although the configuration
// is right.
const (
	inetdConf  = "/etc/inetd.conf"
	sendmailCF = "/etc/mail/sendmail.cf"
	updateConf = "/usr/share/sendmail/update_conf" // of Debian's sendmail, which runs update-inetd
)

// surroundings are notes on the line of the super-server, on a second greet delay, on the machine's
// name, and on the program that has port 25. Files that cannot be read are taken to be right.
func surroundings(c *config.Config) []string {
	_, err := os.Stat(updateConf)
	notes := inetdNotes(inetdConf, err == nil)
	pause := greetPauseNote(c.MTA)
	if pause != "" {
		pause = c.Place("mta") + ": mta: " + pause
	}
	for _, note := range []string{pause, hostnameNote(c), portNote()} {
		if note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

// inetdNotes say what is wrong with the lines of inetd.conf that start sendwrap; that the only one
// is switched off; or that it will be: Debian's sendmail has update-inetd switch off lines that
// begin with smtp.
func inetdNotes(file string, debian bool) (notes []string) {
	const off, cure = "#<off>#", "write 25 in place of smtp, and restart inetd"
	text, _ := os.ReadFile(file)
	number, note, starts := 0, "", false
	for line := range strings.Lines(string(text)) {
		number++
		line, isOff := strings.CutPrefix(line, off)
		words := strings.Fields(line)
		switch {
		case len(words) < 6 || !slices.ContainsFunc(words[5:], isSendwrap):
		case isOff && note == "":
			note = fmt.Sprintf("%s:%d: this line is switched off; remove %s, %s",
				file, number, off, cure)
		case isOff || strings.HasPrefix(line, "#"):
		default:
			for _, fault := range inetdFaults(words) {
				notes = append(notes, fmt.Sprintf("%s:%d: %s", file, number, fault))
			}
			if !debian || words[0] != "smtp" {
				starts = true
				continue
			}
			note = fmt.Sprintf("%s:%d: sendmail's package switches this line off "+
				"at sendmailconfig and at upgrades; %s", file, number, cure)
		}
	}
	if note != "" && !starts {
		notes = append(notes, note)
	}
	return notes
}

// inetdFaults say what is wrong with a line that starts sendwrap, and what to write.
func inetdFaults(words []string) (faults []string) {
	if words[3] == "nowait" {
		faults = append(faults, "nowait without a number: after 256 starts in a minute inetd "+
			"closes the port for ten minutes; write nowait.60000")
	}
	user := words[4]
	if end := strings.IndexAny(user, ".:/"); end > 0 {
		user = user[:end] // without group and login class
	}
	if user != "root" {
		faults = append(faults, "user "+user+"; write root")
	}
	path := words[5+slices.IndexFunc(words[5:], isSendwrap)]
	if _, err := os.Stat(path); filepath.IsAbs(path) && errors.Is(err, os.ErrNotExist) {
		self, _ := os.Executable()
		faults = append(faults, fmt.Sprintf("no such file %s; write %s", path, self))
	}
	return faults
}

func isSendwrap(path string) bool { return filepath.Base(path) == "sendwrap" }

// greetPauseNote says that the MTA is a sendmail that makes clients wait a second time.
func greetPauseNote(mta []string) string {
	program, err := filepath.EvalSymlinks(mta[0])
	if err != nil || filepath.Base(program) != "sendmail" {
		return ""
	}
	cf := sendmailCF
	for i, arg := range mta {
		if file, found := strings.CutPrefix(arg, "-C"); found && file != "" {
			cf = file
		} else if found && i+1 < len(mta) {
			cf = mta[i+1]
		}
	}
	text, _ := os.ReadFile(cf)
	if !strings.Contains(string(text), "\nSgreet_pause\n") {
		return ""
	}
	return "greet_pause of " + cf + " makes clients wait a second time; " +
		"remove FEATURE(`greet_pause') from sendmail.mc, and make " + filepath.Base(cf) + " from it"
}

// hostnameNote says that refusals give the machine's name without a domain.
func hostnameNote(c *config.Config) string {
	settings := c.Settings // a copy: check compares c's with the policy, and HostName changes them
	name := wrapper.HostName(&settings)
	if strings.Contains(name, ".") {
		return ""
	}
	return fmt.Sprintf("hostname: refusals call this machine %q, without a domain; "+
		"write hostname mx.example.org", name)
}

// starters are programs that hold port 25 to start sendwrap, by their names in /proc/PID/comm, and
// the room, which was called sendwrap up to version 0.9.
var starters = []string{
	exec.RoomName, "sendwrap", "inetd", "xinetd", "systemd", "tcpserver", "s6-tcpserverd", "tcpsvd",
	"busybox",
}

// portNote names the program that has port 25, unless it is one of starters. Only root can see the
// sockets of all programs.
func portNote() string {
	inodes := listeners(25)
	if len(inodes) == 0 {
		return ""
	}
	var name, pid string
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); !slices.Contains(inodes, target) {
			continue
		}
		pid = strings.Split(fd, "/")[2]
		comm, _ := os.ReadFile(filepath.Join("/proc", pid, "comm"))
		if name = strings.TrimSpace(string(comm)); slices.Contains(starters, name) {
			return ""
		}
	}
	if name == "" {
		return ""
	}
	return fmt.Sprintf("port 25 is held by %q (process %s); "+
		"unless it starts sendwrap, stop it", name, pid)
}

// listeners are the sockets that listen on a port, as /proc/PID/fd names them.
func listeners(port uint16) (inodes []string) {
	const listen = "0A"
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) < 10 || words[3] != listen {
				continue
			}
			_, hex, _ := strings.Cut(words[1], ":")
			if got, err := strconv.ParseUint(hex, 16, 16); err == nil && uint16(got) == port {
				inodes = append(inodes, "socket:["+words[9]+"]")
			}
		}
	}
	return inodes
}
