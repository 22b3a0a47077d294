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

// measureSession measures a session with a real sendmail, through sendwrap
// without a greet delay and without sendwrap, under the same super-server.
func measureSession(l *lab) ([]row, error) {
	const what = "session with sendmail -bs: EHLO, MAIL, QUIT"
	switch {
	case !exists(sendmail):
		return []row{{What: what, Skipped: "no " + sendmail}}, nil
	case !exists(sendmailCF):
		return []row{{What: what, Skipped: "no " + sendmailCF}}, nil
	case !l.isolated:
		return []row{{What: what, Skipped: "not root: names would need DNS"}}, nil
	}
	cf, err := writeSendmailCF(filepath.Join(l.dir, "sendmail"))
	if err != nil {
		return nil, err
	}
	bare := peer{name: "bare sendmail", argv: []string{sendmail, "-bs", "-C" + cf}}
	i, err := l.instance("session", "mta "+strings.Join(bare.argv, " "), "greet_delay 0s")
	if err != nil {
		return nil, err
	}
	few := l.fewer(5)
	got, err := takeTurns(few.rounds, few.slices, []peer{i.peer(""), bare}, func(p peer) (took []float64, err error) {
		err = p.reaching("PASS", few.conns, func() error {
			for range few.conns {
				t, err := l.session(p)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				took = append(took, ms(t))
			}
			return nil
		})
		return took, err
	})
	if err != nil {
		return nil, err
	}
	times := got.reduce(median)
	return []row{times.row(what, "ms").atMost(times, bare.name, sessionTarget)}, nil
}

// session lets a client speak with p as mail servers do and returns how long
// that took, from its connect to the end of the connection.
func (l *lab) session(p peer) (time.Duration, error) {
	v, err := l.arrive(p, l.client(), "")
	if err != nil {
		return 0, err
	}
	defer v.client.close()
	for _, turn := range []struct{ say, hear string }{
		{"", "220 " + hostName + " ESMTP Sendmail"},
		{"EHLO client.example\r\n", "250-" + hostName},
		{"MAIL FROM:<sender@client.example>\r\n", "250 2.1.0 "},
		{"QUIT\r\n", "221 2.0.0 "},
	} {
		if turn.say != "" {
			if err := v.client.write(turn.say); err != nil {
				return 0, err
			}
		}
		reply, err := v.client.reply()
		if err != nil {
			return 0, fmt.Errorf("after %q: %w", turn.say, err)
		}
		if !strings.HasPrefix(reply, turn.hear) {
			return 0, fmt.Errorf("after %q: reply %q, want %q", turn.say, reply, turn.hear)
		}
	}
	if _, err := v.client.rest(); err != nil {
		return 0, err
	}
	took := time.Since(v.began)
	_, err = v.child.wait()
	return took, err
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
