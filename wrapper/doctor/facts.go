package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/surroundings"
)

// Fact is something that is on the machine, and right or not.
type Fact struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Facts are what is here: MTAs, what starts sendwrap, who listens, where the log goes.
func (s *Site) Facts() (all []Fact) {
	add := func(name, format string, args ...any) {
		all = append(all, Fact{name, fmt.Sprintf(format, args...)})
	}
	for _, mta := range s.Machine.MTAs() {
		config := ""
		if mta.Config != "" {
			config = ", configured by " + mta.Config
		}
		add("MTA", "%s: %s%s", mta.Kind, mta.Program, config)
	}
	for _, one := range s.Machine.Starters() {
		clients, state := "a process for each client", ""
		if one.Room {
			clients = "the room"
		}
		if !one.On {
			state = ", switched off"
		}
		add("started by", "%s, %s: port %s, %s%s", one.By, one.Where,
			strings.Join(one.Ports, " "), clients, state)
	}
	for _, l := range surroundings.Listeners(smtp, submissions, submit) {
		add(fmt.Sprintf("port %d", l.Address.Port()), "%v: %s", l.Address, namesOf(l.Processes))
	}
	if s.Config.Log == policy.Syslog {
		add("log", "%s: %s", maillog.DevLog, s.whereLogGoes())
	}
	return all
}

// namesOf names processes; of many, such as those of a room, the first.
func namesOf(all []surroundings.Process) string {
	switch len(all) {
	case 0:
		return "a process of another user"
	case 1:
		return fmt.Sprintf("%s (process %d)", all[0].Name, all[0].PID)
	}
	return fmt.Sprintf("%s (process %d) and %d more", all[0].Name, all[0].PID, len(all)-1)
}

// whereLogGoes says which program reads the log, and in which files the mail log is.
func (s *Site) whereLogGoes() string {
	text := readerOf(maillog.DevLog)
	if files := s.mailFiles(); len(files) > 0 {
		text += ", mail to " + strings.Join(files, " and ")
	}
	return text
}

// readerOf names the processes that have the socket at path open.
func readerOf(path string) string {
	real, err := filepath.EvalSymlinks(path)
	table, _ := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(table)) {
		words := strings.Fields(line)
		if err != nil || len(words) < 8 || words[7] != path && words[7] != real {
			continue
		}
		inode := "socket:[" + words[6] + "]"
		return namesOf(surroundings.HoldersOf(inode)[inode])
	}
	return "nobody reads it"
}

// mailFiles are the files to which syslogd writes the lines of facility mail, by lines such as
//
//	mail.info	-/var/log/mail.log
func (s *Site) mailFiles() (files []string) {
	for _, conf := range s.Machine.List("/etc/syslog.conf", "/etc/rsyslog.conf",
		"/etc/rsyslog.d/*.conf") {
		text, _ := s.Machine.Text(conf)
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			if len(words) != 2 || strings.HasPrefix(words[0], "#") {
				continue
			}
			file := strings.TrimPrefix(words[1], "-")
			if strings.Contains(words[0], "mail.") && !strings.Contains(words[0], "mail.none") &&
				strings.HasPrefix(file, "/") {
				files = append(files, file)
			}
		}
	}
	return files
}
