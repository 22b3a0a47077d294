package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// guardTarget is what the guard may add to an honest message, in ms.
const guardTarget = 1

// unwatched is the name under which the table shows a mail server without the guard beside the same
// with it.
const unwatched = "without the guard"

// receiver is a mail server that takes messages, with a guard or without.
type receiver struct {
	at    *daemon
	guard *daemon // nil: none
}

// measureGuardMessage measures what the guard adds to a message of an honest client that need not
// wait: time, and its own CPU.
func measureGuardMessage(l *bench) {
	for _, mta := range []struct {
		what, lack string
		start      func() map[string]receiver
	}{
		{"message to sendmail -bs under inetd and sendwrap", lackOfSendmail(), l.sendmailReceivers},
		{"message to Postfix", lab.NoPostfix(), l.postfixReceivers},
	} {
		if mta.lack != "" {
			l.put(row{What: mta.what, Skipped: mta.lack})
			continue
		}
		l.messages(mta.what, mta.start())
	}
}

// messages lets messages come to both receivers in turns.
func (l *bench) messages(what string, receivers map[string]receiver) {
	const together = 4
	both := []peer{{name: ours}, {name: unwatched}}
	got := must(takeTurns(l, both, func(p peer) (samples []sample, err error) {
		s := receivers[p.name]
		if s.guard != nil && s.guard.asked == nil {
			if _, err = s.guard.spent(); err != nil { // its start is no message's
				return nil, err
			}
		}
		for range together {
			samples = append(samples, sample{answer: message(l.client(), s.at.addr)})
		}
		if s.guard != nil { // together; only the mean is asked for
			samples[0].cpu, err = s.guard.spent()
		}
		return samples, err
	}))
	took, cpu := got.reduce(medianAnswer), got.reduce(meanCPU)
	delete(cpu, unwatched)
	l.put(took.row(what+", watched by the guard", "ms").against(took, unwatched),
		took.minus(unwatched).row("what of that the guard adds", "ms").within(guardTarget),
		cpu.row("CPU of the guard for such a message", "ms"))
}

// message lets a client send one as mail servers do, and returns how long that took.
func message(from netip.Addr, to netip.AddrPort) time.Duration {
	began := time.Now()
	c := must(dial(from, to))
	defer c.close()
	check(c.converse(
		turn{"", "220 "},
		turn{"EHLO client.example", "250-"},
		turn{"MAIL FROM:<sender@client.example>", "250 "},
		turn{"RCPT TO:<" + nameOf(firstValid) + "@" + lab.HostName + ">", "250 "},
		turn{"DATA", "354 "},
		turn{"Subject: a message\r\n\r\nIts text.\r\n.", "250 "},
		turn{"QUIT", "221 "}))
	took := time.Since(began)
	must(c.rest())
	return took
}

// inMemory mounts a file system in memory at dir, so that no disk's time is measured.
func (l *bench) inMemory(dir string) {
	check(os.MkdirAll(dir, 0o755))
	err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
	check(os.NewSyscallError("mount", err))
}

// sendmailReceivers are two sendmails -bs under inetd and sendwrap.
func (l *bench) sendmailReceivers() map[string]receiver {
	all := make(map[string]receiver)
	const watched = "message-watched"
	sockets := map[string]string{watched: l.socket(watched), "message-unwatched": ""}
	for name, socket := range sockets {
		l.inMemory(filepath.Join(l.dir, name+"-sendmail", "mqueue"))
		site := l.sendmailSite(name+"-sendmail", socket)
		directives := []string{"mta " + strings.Join(bs(site), " "), "greet_delay 0s"}
		var g guarded
		who := ours
		if socket == "" {
			who = unwatched
			g.instance = l.instance(name, directives...)
		} else {
			g = l.guarded(name, "", directives...)
		}
		d := l.inetd(g.program, "-f", g.conf)
		all[who] = receiver{at: d, guard: g.guard}
	}
	return all
}

// postfixReceivers are two Postfixes.
func (l *bench) postfixReceivers() map[string]receiver {
	all := make(map[string]receiver)
	g := l.guarded("message-postfix", lab.PostfixUser)
	for name, s := range map[string]struct {
		guard   *daemon
		milters []string
	}{ours: {g.guard, g.milters()}, unwatched: {}} {
		dir := "postfix-" + strings.ReplaceAll(name, " ", "-")
		l.inMemory(filepath.Join(l.dir, dir, "queue"))
		d := l.smtpd(dir, s.milters...)
		all[name] = receiver{at: d, guard: s.guard}
	}
	return all
}
