package main

import (
	"fmt"
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

// watchedMessage is what a message cost.
type watchedMessage struct {
	took time.Duration // from the client's connect to the reply to its QUIT
	cpu  time.Duration // of the guard
}

// station is a mail server that takes messages, with a guard or without.
type station struct {
	at    *daemon
	guard *daemon // nil: none
}

// measureGuardMessage measures what the guard adds to a message of an honest client that need not
// wait: time, and its own CPU.
func measureGuardMessage(l *bench) error {
	for _, mta := range []struct {
		what, lack string
		start      func() (map[string]station, error)
	}{
		{"message to sendmail -bs under inetd and sendwrap", lackOfSendmail(), l.sendmailStations},
		{"message to Postfix", lab.NoPostfix(), l.postfixStations},
	} {
		if mta.lack != "" {
			l.put(row{What: mta.what, Skipped: mta.lack})
			continue
		}
		stations, err := mta.start()
		if err == nil {
			err = l.messages(mta.what, stations)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", mta.what, err)
		}
	}
	return nil
}

// messages lets messages come to both stations in turns.
func (l *bench) messages(what string, stations map[string]station) error {
	const together = 4
	got, err := takeTurns(l, []peer{{name: ours}, {name: unwatched}}, func(p peer) ([]watchedMessage, error) {
		s := stations[p.name]
		if s.guard != nil && s.guard.asked == nil {
			if _, err := s.guard.spent(); err != nil { // its start is no message's
				return nil, err
			}
		}
		var samples []watchedMessage
		for range together {
			took, err := message(l.client(), s.at.addr)
			if err != nil {
				return nil, err
			}
			samples = append(samples, watchedMessage{took: took})
		}
		if s.guard == nil {
			return samples, nil
		}
		cpu, err := s.guard.spent()
		for i := range samples {
			samples[i].cpu = cpu / together
		}
		return samples, err
	})
	if err != nil {
		return err
	}
	took := got.reduce(func(all []watchedMessage) float64 {
		var each []float64
		for _, m := range all {
			each = append(each, ms(m.took))
		}
		return median(each)
	})
	cpu := got.reduce(func(all []watchedMessage) float64 {
		var sum time.Duration
		for _, m := range all {
			sum += m.cpu
		}
		return us(sum) / float64(len(all))
	})
	delete(cpu, unwatched)
	l.put(took.row(what+", watched by the guard", "ms").against(took, unwatched),
		took.minus(unwatched).row("what of that the guard adds", "ms").within(guardTarget),
		cpu.row("CPU of the guard for such a message", "µs"))
	return nil
}

// message lets a client send one as mail servers do, and returns how long that took.
func message(from netip.Addr, to netip.AddrPort) (time.Duration, error) {
	began := time.Now()
	c, err := dial(from, to)
	if err != nil {
		return 0, err
	}
	defer c.close()
	err = c.converse(
		turn{"", "220 "},
		turn{"EHLO client.example", "250-"},
		turn{"MAIL FROM:<sender@client.example>", "250 "},
		turn{"RCPT TO:<" + nameOf(firstValid) + "@" + lab.HostName + ">", "250 "},
		turn{"DATA", "354 "},
		turn{"Subject: a message\r\n\r\nIts text.\r\n.", "250 "},
		turn{"QUIT", "221 "})
	took := time.Since(began)
	if err == nil {
		_, err = c.rest()
	}
	return took, err
}

// inMemory lets dir be a directory in memory, so that no disk's time is measured.
func (l *bench) inMemory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.NewSyscallError("mount", unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"))
}

// sendmailStations are two sendmails -bs under inetd and sendwrap.
func (l *bench) sendmailStations() (map[string]station, error) {
	all := make(map[string]station)
	for name, socket := range map[string]string{"message-watched": l.socket("message-watched"), "message-unwatched": ""} {
		if err := l.inMemory(filepath.Join(l.dir, name+"-sendmail", "mqueue")); err != nil {
			return nil, err
		}
		site, err := l.sendmailSite(name+"-sendmail", socket)
		if err != nil {
			return nil, err
		}
		directives := []string{"mta " + strings.Join(bs(site), " "), "greet_delay 0s"}
		var g guarded
		who := ours
		if socket == "" {
			who = unwatched
			g.instance, err = l.instance(name, directives...)
		} else {
			g, err = l.guarded(name, "", directives...)
		}
		if err != nil {
			return nil, err
		}
		d, err := l.inetd(g.program, "-f", g.conf)
		if err != nil {
			return nil, err
		}
		all[who] = station{at: d, guard: g.guard}
	}
	return all, nil
}

// postfixStations are two Postfixes.
func (l *bench) postfixStations() (map[string]station, error) {
	all := make(map[string]station)
	g, err := l.guarded("message-postfix", lab.PostfixUser)
	if err != nil {
		return nil, err
	}
	for name, s := range map[string]struct {
		guard   *daemon
		milters []string
	}{ours: {g.guard, g.milters()}, unwatched: {}} {
		dir := "postfix-" + strings.ReplaceAll(name, " ", "-")
		if err := l.inMemory(filepath.Join(l.dir, dir, "queue")); err != nil {
			return nil, err
		}
		d, err := l.smtpd(dir, s.milters...)
		if err != nil {
			return nil, err
		}
		all[name] = station{at: d, guard: s.guard}
	}
	return all, nil
}
