package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// guardTarget is what the guard may add to an honest message, in ms.
const guardTarget = 1

// unwatched is the name under which the table shows a mail server without the guard beside the same with it.
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

// measureGuardMessage measures what the guard adds to a message of an honest client that need not wait: time, and its
// own CPU.
func measureGuardMessage(l *lab) ([]row, error) {
	var rows []row
	for _, mta := range []struct {
		what, lack string
		start      func() (map[string]station, func() error, error)
	}{
		{"message to sendmail -bs under inetd and sendwrap", l.lackOfSendmail(), l.sendmailStations},
		{"message to Postfix", l.lackOfPostfix(), l.postfixStations},
	} {
		if mta.lack != "" {
			rows = append(rows, row{What: mta.what, Skipped: mta.lack})
			continue
		}
		stations, stop, err := mta.start()
		if err != nil {
			return nil, err
		}
		more, err := l.messageRows(mta.what, stations)
		if err = errors.Join(err, stop()); err != nil {
			return nil, fmt.Errorf("%s: %w", mta.what, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// messageRows lets messages come to both stations in turns.
func (l *lab) messageRows(what string, stations map[string]station) ([]row, error) {
	const together = 4
	got, err := takeTurns(l.rounds, l.slices, []peer{{name: ours}, {name: unwatched}}, func(p peer) ([]watchedMessage, error) {
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
				return nil, fmt.Errorf("%s: %w", p.name, err)
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
		return nil, err
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
	return []row{
		took.row(what+", watched by the guard", "ms").against(took, unwatched),
		took.minus(unwatched).row("what of that the guard adds", "ms").within(guardTarget),
		cpu.row("CPU of the guard for such a message", "µs"),
	}, nil
}

// message lets a client send one as mail servers do, and returns how long that took.
func message(from netip.Addr, to netip.AddrPort) (time.Duration, error) {
	began := time.Now()
	c, err := dial(from, to)
	if err != nil {
		return 0, err
	}
	defer c.close()
	for _, turn := range []struct{ say, hear string }{
		{"", "220 "},
		{"EHLO client.example\r\n", "250-"},
		{"MAIL FROM:<sender@client.example>\r\n", "250 "},
		{"RCPT TO:<" + anyValid() + "@" + hostName + ">\r\n", "250 "},
		{"DATA\r\n", "354 "},
		{"Subject: a message\r\n\r\nIts text.\r\n.\r\n", "250 "},
		{"QUIT\r\n", "221 "},
	} {
		if turn.say != "" {
			if err := c.write(turn.say); err != nil {
				return 0, err
			}
		}
		reply, err := c.reply()
		if err != nil {
			return 0, fmt.Errorf("after %q: %w", turn.say, err)
		}
		if !strings.HasPrefix(reply, turn.hear) {
			return 0, fmt.Errorf("after %q: reply %q, want %q", turn.say, reply, turn.hear)
		}
	}
	took := time.Since(began)
	_, err = c.rest()
	return took, err
}

// anyValid is a name that is valid.
func anyValid() string { return nameOf(firstValid) }

// inMemory lets dir be a directory in memory, so that no disk's time is measured.
func (l *lab) inMemory(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.NewSyscallError("mount", unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"))
}

// sendmailStations are two sendmails -bs under inetd and sendwrap. stop ends them.
func (l *lab) sendmailStations() (all map[string]station, stop func() error, err error) {
	running := new(retinue)
	defer running.unless(&err)
	all = make(map[string]station)
	for name, socket := range map[string]string{"message-watched": l.socket("message-watched"), "message-unwatched": ""} {
		if err := l.inMemory(filepath.Join(l.dir, name+"-sendmail", "queue")); err != nil {
			return nil, nil, err
		}
		cf, err := l.sendmailCF(name+"-sendmail", socket)
		if err != nil {
			return nil, nil, err
		}
		directives := []string{"mta " + sendmail + " -bs -C" + cf, "greet_delay 0s"}
		if socket == "" {
			i, err := l.instance(name, directives...)
			if err != nil {
				return nil, nil, err
			}
			d, err := running.add(l.inetd(i.program, "-f", i.conf))
			if err != nil {
				return nil, nil, err
			}
			all[unwatched] = station{at: d}
			continue
		}
		g, err := l.guarded(name, "", directives...)
		if err != nil {
			return nil, nil, err
		}
		*running = append(*running, g.guard)
		d, err := running.add(l.inetd(g.program, "-f", g.conf))
		if err != nil {
			return nil, nil, err
		}
		all[ours] = station{at: d, guard: g.guard}
	}
	return all, running.stop, nil
}

// postfixStations are two Postfixes. stop ends them.
func (l *lab) postfixStations() (all map[string]station, stop func() error, err error) {
	running := new(retinue)
	defer running.unless(&err)
	for _, name := range []string{"postfix-watched", "postfix-unwatched"} {
		if err := l.inMemory(filepath.Join(l.dir, name, "queue")); err != nil {
			return nil, nil, err
		}
	}
	g, err := l.guarded("message-postfix", postfixUser)
	if err != nil {
		return nil, nil, err
	}
	*running = append(*running, g.guard)
	watched, err := running.add(l.smtpd("postfix-watched", g.milters()...))
	if err != nil {
		return nil, nil, err
	}
	bare, err := running.add(l.smtpd("postfix-unwatched"))
	if err != nil {
		return nil, nil, err
	}
	return map[string]station{ours: {at: watched, guard: g.guard}, unwatched: {at: bare}}, running.stop, nil
}
