package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// holdName names the ledger to a process of this program that is to hold its lock.
const holdName = "SENDWRAP_BENCH_HOLD"

func init() {
	if path := os.Getenv(holdName); path != "" {
		lab.HoldLock(path)
	}
}

// measurePromises measures how soon that happens which is said to happen at once. The targets are
// what the slowest machine is meant to keep.
func measurePromises(l *bench) {
	crowd, many := 1000, 2000
	if l.quick {
		crowd, many = 100, 200
	}
	l.promiseRefusal(crowd)
	l.promiseSessionEnd()
	l.promiseLockHeld()
	l.promiseReplacement(crowd)
	l.promiseRoomEnd(many)
	l.promiseWrongNames()
	l.promiseGuardEnd()
	l.promiseCommands()
	l.promiseSpawnRate()
}

// promise puts a row with the median, the least and the most of what once takes, several times a
// round, and what it may take in ms.
func (l *bench) promise(what string, target float64, times int, once func() time.Duration) {
	var took []float64
	for n := range times * l.rounds {
		if late := l.late(); late != nil && n > 0 {
			l.cut = fmt.Sprintf("%v: %d of %d times", late, n, times*l.rounds)
			break
		}
		check(l.late())
		took = append(took, ms(once()))
	}
	r := oursAlone(what, "ms", median(took))
	r.Values[0].Low, r.Values[0].High = slices.Min(took), slices.Max(took)
	l.put(r.within(target))
}

// blocks begins a block, as a command that may take as long as the grace does: wait for its end.
func (i *instance) blocks(client netip.Addr) (wait func() error) {
	ended := make(chan error, 1)
	go func() {
		_, err := i.command("block", client.String(), "1h")
		ended <- err
	}()
	return func() error { return <-ended }
}

// waitingRoom starts a room in which so many clients wait for minutes.
func (l *bench) waitingRoom(name string, n int, directives ...string) (*instance, *crowd) {
	i := l.instance(name, append(directives, "mta "+l.program("stub"),
		"greet_delay 290s stress=290s")...)
	c := &crowd{bench: l, at: l.room(i), waiting: i.waiting}
	c.fill(n)
	return i, c
}

func (l *bench) promiseRefusal(n int) {
	i, others := l.waitingRoom("promise-refusal", n)
	what := fmt.Sprintf("sendwrap block: refusal of one that waits in the room with %d others", n)
	l.promise(what, 1000, 3, func() time.Duration {
		from := l.client()
		c := must(dial(from, others.at.addr))
		defer c.close()
		others.expect(n + 1)
		began := time.Now()
		wait := i.blocks(from)
		check(c.converse(turn{"", blockedReply}))
		took := time.Since(began)
		check(wait())
		others.expect(n)
		return took
	})
	others.empty()
	check(others.at.stop())
}

func (l *bench) promiseSessionEnd() {
	const grace = time.Second
	i := l.instance("promise-session", "mta /bin/cat", "greet_delay 0s",
		fmt.Sprintf("block grace=%v", grace))
	serving := func(n int) {
		check(await(fmt.Sprintf("%d clients are in session", n), func() (bool, error) {
			return must(i.status()).Sessions.Serving == n, nil
		}))
	}
	for _, p := range []peer{i.peer("").called(eachItsOwn), i.in(l.room(i), "").called("the room")} {
		what := fmt.Sprintf("sendwrap block: end of an idle session, later than the grace: %s", p.name)
		l.promise(what, 1000, 3, func() time.Duration {
			from := l.client()
			v := must(l.arrive(p, from, ""))
			serving(1)
			began := time.Now()
			wait := i.blocks(from)
			said := must(v.client.rest())
			took := time.Since(began)
			if said != "" || took < grace {
				check(fmt.Errorf("after %v the session ended with %q", took, said))
			}
			v.client.close()
			check(wait())
			if v.child != 0 {
				_, _ = v.child.wait() // a signal has ended it
			}
			serving(0)
			return took - grace
		})
	}
}

// promiseLockHeld: without the ledger nobody is known, so a known client has to wait again. What it
// waits beyond that is added by the lock. A room leaves the ledger alone for a second then.
func (l *bench) promiseLockHeld() {
	const delay, rest = 100 * time.Millisecond, 1100 * time.Millisecond
	i := l.instance("promise-lock", "mta "+l.program("stub"), fmt.Sprintf("greet_delay %v", delay))
	known := l.client()
	r := load{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	peers := []peer{i.peer(stubGreeting).called(eachItsOwn),
		i.in(l.room(i), stubGreeting).called("the room")}
	must(l.flood("PASS", peers[0], r))
	before := make(map[string]time.Duration)
	for _, p := range peers {
		many := r
		many.clients = 20
		before[p.name] = time.Duration(medianAnswer(must(reaching(p, "KNOWN", many.clients,
			func() ([]sample, error) { return l.visits(p, many) }))) * float64(time.Millisecond))
	}
	holder := osexec.Command("/proc/self/exe")
	holder.Env = append(os.Environ(), holdName+"="+i.ledger)
	check(holder.Start())
	defer holder.Wait()
	defer holder.Process.Kill()
	check(await("the lock is held", func() (bool, error) {
		return lab.State(holder.Process.Pid) == "T", nil
	}))
	for _, p := range peers {
		what := "a stopped process holds the ledger's lock: adds to a known client's greeting: " + p.name
		l.promise(what, 220, 3, func() time.Duration {
			time.Sleep(rest)
			return must(l.visits(p, r))[0].answer - delay - before[p.name]
		})
	}
}

func (l *bench) promiseReplacement(n int) {
	known := l.client()
	i, others := l.waitingRoom("promise-replacement", n,
		"client "+known.String()+" greet_delay=100ms", "spawn_rate 10000")
	p := i.in(others.at, stubGreeting)
	r := load{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	must(l.flood("PASS", p, r))
	what := fmt.Sprintf("SIGUSR2 to a room where %d wait: longest time without a greeting", n)
	l.promise(what, 100, 1, func() (longest time.Duration) {
		const taken, before, after = "a", 10, 50 // "a new program has taken over …"
		began, was := time.Now(), l.log.seen(taken)
		last := began
		for n, left := 0, after; left > 0; n++ {
			if n == before {
				check(others.at.cmd.Process.Signal(unix.SIGUSR2))
			}
			if l.log.seen(taken) > was {
				left--
			}
			must(l.visits(p, r))
			now := time.Now()
			longest, last = max(longest, now.Sub(last)), now
			if now.Sub(began) > lab.Patience {
				check(errors.New("the new program does not take over"))
			}
		}
		return longest
	})
	others.expect(n)
	others.empty()
	check(others.at.stop())
}

func (l *bench) promiseRoomEnd(n int) {
	what := fmt.Sprintf("SIGTERM to a room where %d wait: until all have their 421 and it ends", n)
	l.promise(what, 5000, 1, func() time.Duration {
		_, all := l.waitingRoom("promise-end", n)
		began, ended := time.Now(), make(chan error, 1)
		go func() { ended <- all.at.stop() }()
		for _, c := range all.here {
			check(c.converse(turn{"", "421 "}))
			c.close()
		}
		check(<-ended)
		return time.Since(began)
	})
}

func (l *bench) promiseWrongNames() {
	const what, name = "third wrong recipient to the end of the connection: ", "promise-names"
	for _, mta := range []struct {
		what, lack string
		start      func() (g guarded, at *daemon, verdicts map[string]int)
	}{
		{"sendmail -bs under inetd", lackOfSendmail(), func() (guarded, *daemon, map[string]int) {
			site := l.sendmailSite(name+"-sendmail", l.socket(name))
			g := l.guarded(name, "", "mta "+strings.Join(bs(site), " "), "greet_delay 0s",
				"bad_rcpt_delay 0s")
			return g, l.inetd(g.program, "-f", g.conf), map[string]int{"PASS": 1, caught: 1}
		}},
		{"Postfix", lab.NoPostfix(), func() (guarded, *daemon, map[string]int) {
			g := l.guarded(name+"-postfix", lab.PostfixUser, "bad_rcpt_delay 0s")
			return g, l.smtpd("postfix-"+name, g.milters()...), map[string]int{caught: 1}
		}},
	} {
		if mta.lack != "" {
			l.put(row{What: what + mta.what, Skipped: mta.lack})
			continue
		}
		g, at, verdicts := mta.start()
		l.promise(what+mta.what, 1000, 3, func() (took time.Duration) {
			check(g.reaching(verdicts, func() error {
				c := must(dial(l.client(), at.addr))
				defer c.close()
				rcpt := func(i int) string { return "RCPT TO:<" + nameOf(i) + "@" + lab.HostName + ">" }
				check(c.converse(turn{"", "220 "}, turn{"HELO client.example", "250 "},
					turn{"MAIL FROM:<x@client.example>", "250 "}, turn{rcpt(0), "550 "},
					turn{rcpt(1), "550 "}))
				began := time.Now()
				check(c.write(rcpt(2) + "\r\n"))
				must(c.rest())
				took = time.Since(began)
				return nil
			}))
			return took
		})
	}
}

func (l *bench) promiseGuardEnd() {
	const sessions = 20
	what := fmt.Sprintf("SIGTERM to the guard: until it ends, with %d sessions", sessions)
	l.promise(what, 5000, 1, func() time.Duration {
		g := l.guarded("promise-guard", "")
		for range sessions {
			defer must(milterSession(g.socket, l.client())).Close()
		}
		began := time.Now()
		check(g.guard.stop())
		return time.Since(began)
	})
}

func (l *bench) promiseCommands() {
	const blocks, size = 10_000, 16_000_000
	i := l.instance("promise-blocks", "mta "+l.program("stub"))
	in, _, err := ledger.Open(i.ledger, ledgerSize, ledger.ThisBoot())
	check(err)
	for n := range blocks {
		from := netip.AddrFrom4([4]byte{10, 7, byte(n >> 8), byte(n)})
		check(in.Do(ledger.Now(), func(t *ledger.Tx) {
			t.Block(netip.PrefixFrom(from, 32), time.Hour, "x", ledger.Penalty{Max: time.Hour})
		}))
	}
	check(in.Close())
	l.promise(fmt.Sprintf("sendwrap blocks -nft: %d blocks", blocks), 5000, 1, func() time.Duration {
		began := time.Now()
		out := must(i.command("blocks", "-nft"))
		took := time.Since(began)
		if n := strings.Count(string(out), "\nadd element"); n != blocks {
			check(fmt.Errorf("%d elements for %d blocks", n, blocks))
		}
		return took
	})
	i.conf = filepath.Join(l.dir, "nonsense.conf")
	check(os.WriteFile(i.conf, []byte(strings.Repeat("x\n", size/2)), 0o600))
	l.promise("sendwrap check: a file of 16 MB of nonsense", 30_000, 1, func() time.Duration {
		began := time.Now()
		_, err := i.command("check")
		took := time.Since(began)
		if err == nil || !strings.Contains(err.Error(), " more errors; correct these first") {
			check(fmt.Errorf("nonsense is not found to be nonsense: %w", err))
		}
		return took
	})
}

func (l *bench) promiseSpawnRate() {
	const rate, clients = 10, 30
	i := l.instance("promise-spawn", "mta "+l.program("stub"), "greet_delay 0s",
		fmt.Sprintf("spawn_rate %d", rate))
	p := i.in(l.room(i), stubGreeting)
	r := load{clients: clients, atOnce: clients, from: l.client}
	what := fmt.Sprintf("spawn_rate %d: greeting of the last of %d, due after 2 s", rate, clients)
	l.promise(what, 3500, 1, func() time.Duration {
		time.Sleep(1100 * time.Millisecond) // what was started before does not count any more
		bursts := must(l.flood("PASS", p, r))
		return bursts[0].took
	})
}
