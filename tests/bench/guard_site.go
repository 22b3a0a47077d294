package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sendwrap/tests/lab"
)

// The names under which the table shows mail servers without the guard.
const (
	bareSendmail  = "bare sendmail"
	throttled     = "BadRcptThrottle=2"
	shutting      = "BadRcptShutdown=3"
	barePostfix   = "Postfix"
	guardsPostfix = "Postfix with the guard"
)

// sendmailSite makes a sendmail that knows the valid names of the dictionary, queues their mail,
// and asks the guard at socket unless that is "".
func (l *bench) sendmailSite(name, socket string) lab.SendmailSite {
	s := lab.SendmailSite{
		Dir:    filepath.Join(l.dir, name),
		Extras: "define(`confDELIVERY_MODE', `queueonly')dnl\n",
		Boxes:  map[string][]string{"box": validNames()},
	}
	if socket != "" {
		s.Extras += "INPUT_MAIL_FILTER(`sendwrap', `S=local:" + socket +
			", F=, T=C:5s;S:5s;R:10s;E:10s')dnl\n"
	}
	check(os.MkdirAll(s.Dir, 0o755))
	check(s.Make())
	return s
}

// bs is the command line of the site's sendmail for one client.
func bs(s lab.SendmailSite) []string { return []string{lab.Sendmail, "-bs", "-C" + s.CF()} }

// lackOfSendmail says what the machine lacks for a sendmail under inetd, "" if nothing.
func lackOfSendmail() string {
	if why := lab.NoSendmail(); why != "" {
		return why
	}
	if lab.Find(inetd) == "" {
		return lab.Missing(inetd)
	}
	return ""
}

// guarded is sendwrap with a guard that runs.
type guarded struct {
	*instance
	socket string
	guard  *daemon
}

// guarded starts the guard of a configuration with these directives, and no others but where ledger
// and guard are. owner may open the guard's socket, "" for root.
func (l *bench) guarded(name, owner string, directives ...string) (g guarded) {
	g.socket = l.socket(name)
	at := "guard_listen unix:" + g.socket
	if owner != "" {
		at += " owner=" + owner
	}
	g.instance = l.instance(name, append(directives, at)...)
	up := func() bool { return listeningAt(g.socket) }
	g.guard = l.launch(up, []string{g.program, "guard", "-f", g.conf})
	g.guard.ours = true
	return g
}

// socket is where the guard of that name listens.
func (l *bench) socket(name string) string { return filepath.Join(l.dir, name+".sock") }

// milters are the parameters of postconf(5) that let Postfix ask the guard.
func (g guarded) milters() []string {
	return []string{
		"smtpd_milters = unix:" + g.socket, "milter_default_action = accept",
		"milter_command_timeout = 10s",
	}
}

// listeningAt reports whether a program listens on a unix socket. Nothing connects to find out:
// that would be a session.
func listeningAt(path string) bool {
	const accepts = "00010000" // __SO_ACCEPTCON of the kernel's net.h
	table, _ := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(table)) {
		field := strings.Fields(line)
		if len(field) == 8 && field[3] == accepts && field[7] == path {
			return true
		}
	}
	return false
}

// lifetime ends the daemon and returns the CPU time that it has used, with all processes that it
// has started, which have ended and been waited for.
func (d *daemon) lifetime() time.Duration {
	check(await(d.name+" has no processes left", func() (bool, error) {
		return len(d.processes()) == 1, nil
	}))
	check(d.stop())
	s := d.cmd.ProcessState
	return s.UserTime() + s.SystemTime()
}

// milterSession opens a session with a milter as sendmail does for a client, and sends it a
// message, up to its end.
func milterSession(socket string, from netip.Addr) (*lab.Milter, error) {
	m, err := lab.DialMilter("unix", socket)
	if err == nil {
		err = m.Negotiate()
	}
	if err != nil {
		return nil, err
	}
	const goOn = "c"
	for _, step := range []struct {
		say  func() (string, error)
		want string
	}{
		{func() (string, error) { return m.Connect(from.String(), 40000) }, goOn},
		{func() (string, error) { return m.Helo("client.example") }, ""},
		{func() (string, error) { return m.Mail("sender@client.example") }, goOn},
		{func() (string, error) { return m.Rcpt("root@"+lab.HostName, "local", "", "root") }, goOn},
		{m.End, goOn},
	} {
		if got, err := step.say(); err != nil || got != step.want {
			m.Close()
			return nil, fmt.Errorf("the guard answers %q, want %q: %w", got, step.want, err)
		}
	}
	return m, nil
}
