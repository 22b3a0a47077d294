package main

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"time"
)

// sessionTarget is what a whole session through sendwrap may take: so many times
// a session with sendmail alone, which waits for the client's delayed
// acknowledgement, since it writes its answer to EHLO in pieces.
const sessionTarget = 0.4

// Where Debian and its kin have sendmail and the sources of its configuration.
const (
	sendmail   = "/usr/sbin/sendmail"
	sendmailCF = "/usr/share/sendmail/cf/"
)

// lackOfSendmail says why there is no sendmail under inetd, "" if there is one.
func lackOfSendmail() string {
	switch {
	case !exists(sendmail):
		return "no " + sendmail
	case !exists(sendmailCF):
		return "no " + sendmailCF
	case find(inetd) == "":
		return "no " + inetd
	}
	return ""
}

// measureSession measures a session with a real sendmail, through sendwrap without a greet delay and
// without sendwrap, under the same super-server.
func measureSession(l *lab) error {
	if why := lackOfSendmail(); why != "" {
		return l.put(row{What: "session with sendmail -bs", Skipped: why})
	}
	cf, err := writeSendmailCF(filepath.Join(l.dir, "sendmail"))
	if err != nil {
		return err
	}
	bare := peer{name: bareSendmail, argv: []string{sendmail, "-bs", "-C" + cf}}
	i, err := l.instance("session", "mta "+strings.Join(bare.argv, " "), "greet_delay 0s")
	if err != nil {
		return err
	}
	few := l.fewer(5)
	got, err := takeTurns(few, []peer{i.peer(""), bare}, func(p peer) (took []sessionTimes, err error) {
		err = p.reaching("PASS", few.conns, func() error {
			for range few.conns {
				t, err := l.session(p)
				if err != nil {
					return err
				}
				took = append(took, t)
			}
			return nil
		})
		return took, err
	})
	if err != nil {
		return err
	}
	part := func(of func(sessionTimes) time.Duration) series {
		return got.reduce(func(all []sessionTimes) float64 {
			var each []float64
			for _, t := range all {
				each = append(each, ms(of(t)))
			}
			return median(each)
		})
	}
	greeting := part(func(t sessionTimes) time.Duration { return t.greeting })
	ehlo := part(func(t sessionTimes) time.Duration { return t.ehlo })
	whole := part(func(t sessionTimes) time.Duration { return t.whole })
	return l.put(
		greeting.row("session with sendmail -bs: connect to greeting", "ms").against(greeting, bareSendmail),
		ehlo.row("session with sendmail -bs: EHLO to its answer", "ms").against(ehlo, bareSendmail),
		whole.row("session with sendmail -bs: EHLO, MAIL, QUIT", "ms").atMost(whole, bareSendmail, sessionTarget))
}

// sessionTimes are how long the parts of a session took.
type sessionTimes struct{ greeting, ehlo, whole time.Duration }

// session lets a client speak with p as mail servers do, until the end of the connection.
func (l *lab) session(p peer) (t sessionTimes, err error) {
	v, err := l.arrive(p, l.client(), "")
	if err != nil {
		return t, err
	}
	defer v.client.close()
	if err := v.client.converse(turn{"", "220 " + hostName + " ESMTP Sendmail"}); err != nil {
		return t, err
	}
	t.greeting = time.Since(v.began)
	if err := v.client.converse(turn{"EHLO client.example", "250-" + hostName}); err != nil {
		return t, err
	}
	t.ehlo = time.Since(v.began) - t.greeting
	err = v.client.converse(turn{"MAIL FROM:<sender@client.example>", "250 2.1.0 "}, turn{"QUIT", "221 2.0.0 "})
	if err == nil {
		_, err = v.client.rest()
	}
	t.whole = time.Since(v.began)
	if err == nil {
		_, err = v.child.wait()
	}
	return t, err
}

// writeSendmailCF makes a sendmail.cf in dir that uses no file of the system's
// sendmail: queue and statistics are in dir, aliases nowhere unless more lines say so.
func writeSendmailCF(dir string, more ...string) (string, error) {
	queue := filepath.Join(dir, "queue")
	if err := os.MkdirAll(queue, 0o700); err != nil {
		return "", err
	}
	mc := "OSTYPE(`linux')dnl\n" +
		"define(`QUEUE_DIR', `" + queue + "')dnl\n" +
		"define(`STATUS_FILE', `" + filepath.Join(dir, "statistics") + "')dnl\n" +
		"define(`confPID_FILE', `" + filepath.Join(dir, "pid") + "')dnl\n" +
		"define(`confDELIVERY_MODE', `queueonly')dnl\n" +
		"define(`confREFUSE_LA', `1000')dnl\n" + // ours is not the only load here
		"define(`confQUEUE_LA', `1000')dnl\n" +
		"undefine(`ALIAS_FILE')dnl\n" +
		"FEATURE(`nocanonify')dnl\n" +
		"FEATURE(`accept_unresolvable_domains')dnl\n" +
		strings.Join(append(more, ""), "dnl\n") +
		"MAILER(`local')dnl\n" +
		"MAILER(`smtp')dnl\n"
	source := filepath.Join(dir, "sendmail.mc")
	if err := os.WriteFile(source, []byte(mc), 0o600); err != nil {
		return "", err
	}
	m4 := osexec.Command("m4", "-D_CF_DIR_="+sendmailCF, sendmailCF+"m4/cf.m4", source)
	text, err := m4.Output()
	if err != nil {
		return "", fmt.Errorf("%q: %w", m4.Args, err)
	}
	cf := filepath.Join(dir, "sendmail.cf")
	return cf, os.WriteFile(cf, text, 0o600)
}
