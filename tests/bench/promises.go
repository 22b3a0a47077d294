package main

import (
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// holdName is the environment variable that names to a process of this program the ledger whose
// lock it must hold.
const holdName = "SENDWRAP_BENCH_HOLD"

// measurePromises measures how soon things happen that are promised to happen at once or in time.
func measurePromises(l *bench) {
	crowd := map[bool]int{false: 1000, true: 100}[l.quick]
	l.part("promises of a room with a crowd", func() { l.promiseRoom(crowd) })
	l.part("promises of ends", func() { l.promiseEnds(2 * crowd) })
	l.part("promises of the end of a session", l.promiseSessionEnd)
	l.part("promises of the ledger's lock", l.promiseLock)
	l.part("promises of names", l.promiseNames)
	l.part("promises of commands", l.promiseCommands)
	l.part("promises of spawn_rate", l.promiseSpawnRate)
}

// promise puts a row with the median, least and most ms that once takes, that many times a round.
func (l *bench) promise(what string, target float64, times int, once func() time.Duration) {
	var took []float64
	for range times * l.rounds {
		check(l.late())
		took = append(took, ms(once()))
	}
	r := oursAlone(what, "ms", median(took))
	r.Values[0].Low, r.Values[0].High = slices.Min(took), slices.Max(took)
	l.put(r.within(target))
}

// promiseBlock times how a block ends a client, when so many wait and are in session, after grace.
func (l *bench) promiseBlock(what string, p peer, waiting, serving int, grace time.Duration) {
	l.promise("sendwrap block: "+what, 1000, 3, func() time.Duration {
		from := l.client()
		v := must(l.arrive(p, from, ""))
		check(await("the client counts", func() (bool, error) {
			s, err := p.instance.status()
			return s.Sessions.Waiting == waiting && s.Sessions.Serving == serving, err
		}))
		began, ended := time.Now(), make(chan error, 1)
		go func() { // it lasts as long as the grace
			_, err := p.instance.command("block", from.String(), "1h")
			ended <- err
		}()
		said := must(v.client.rest())
		took := time.Since(began) - grace
		if !p.saidRight(said) || took < 0 {
			check(fmt.Errorf("the client was ended %v after the grace, with %q", took, said))
		}
		v.client.close()
		check(<-ended)
		if v.child != 0 {
			_, _ = v.child.wait() // a signal has ended it
		}
		return took
	})
}

// waitingRoom starts a room in which n clients wait for minutes.
func (l *bench) waitingRoom(name string, n int, more ...string) (*instance, *crowd) {
	i := l.instance(name, append(more, "mta "+l.program("stub"), "greet_delay 290s stress=290s")...)
	c := &crowd{bench: l, at: l.room(i), waiting: i.waiting}
	c.fill(n)
	return i, c
}

func (l *bench) promiseRoom(n int) {
	known := l.client()
	i, others := l.waitingRoom("promise-room", n,
		"client "+known.String()+" greet_delay=0s", "spawn_rate 10000")
	what := fmt.Sprintf("refusal in the room, where %d others wait", n)
	l.promiseBlock(what, i.in(others.at, blockedReply), n+1, 0, 0)
	p := i.in(others.at, stubGreeting)
	r := load{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	must(l.flood("PASS", p, r))
	what = fmt.Sprintf("SIGUSR2 where %d wait: longest time without a greeting", n)
	l.promise(what, 100, 3, func() (longest time.Duration) {
		const taken, around = "a", 20 // "a new program has taken over …"
		before, left := l.log.seen(taken), around
		for n := 0; left > 0; n++ {
			if n == around {
				check(others.at.cmd.Process.Signal(unix.SIGUSR2))
			}
			if l.log.seen(taken) > before {
				left--
			}
			longest = max(longest, must(l.visits(p, r))[0].answer) // or the budget is used up
		}
		return longest
	})
	others.expect(n) // nobody was lost
	check(others.at.stop())
}

func (l *bench) promiseEnds(n int) {
	what := fmt.Sprintf("SIGTERM where %d wait: until all have their 421 and the room ends", n)
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
	l.promise("SIGTERM to the guard with 20 sessions: its end", 5000, 3, func() time.Duration {
		g := l.guarded("promise-guard", "")
		for range 20 {
			defer must(milterSession(g.socket, l.client())).Close()
		}
		began := time.Now()
		check(g.guard.stop())
		return time.Since(began)
	})
}

func (l *bench) promiseSessionEnd() {
	i := l.instance("promise-session", `mta /bin/sh -c "echo 220 stub; exec cat"`, "greet_delay 0s",
		"block grace=1s")
	const what, greeting = "end of an idle session, beyond the grace: ", "220 stub\n"
	l.promiseBlock(what+eachItsOwn, i.peer(greeting), 0, 1, time.Second)
	l.promiseBlock(what+"the room", i.in(l.room(i), greeting), 0, 1, time.Second)
}

// promiseLock: the first client that comes finds out that the ledger is held; then a room leaves
// the ledger alone for a second. No client is known then, but none has to wait here either.
func (l *bench) promiseLock() {
	i := l.instance("promise-lock", "mta "+l.program("stub"), "greet_delay 0s")
	each, known := i.peer(stubGreeting).called(eachItsOwn), l.client()
	r := load{clients: 1, atOnce: 1, from: func() netip.Addr { return known }}
	must(l.flood("PASS", each, r))
	for _, p := range []peer{each, i.in(l.room(i), stubGreeting).called("the room")} {
		visit := func() ([]sample, error) { return l.visits(p, r) }
		what := "a stopped process holds the ledger: a known client's delay, " + p.name
		l.promise(what, 220, 3, func() time.Duration { // it promises 50 ms for each of two calls
			time.Sleep(1100 * time.Millisecond)
			free := must(reaching(p, "KNOWN", 1, visit))
			holder := osexec.Command("/proc/self/exe")
			holder.Env = append(os.Environ(), holdName+"="+i.ledger)
			check(holder.Start())
			stopped := func() (bool, error) { return lab.State(holder.Process.Pid) == "T", nil }
			check(await("a process has the lock and stops", stopped))
			held := must(visit())
			check(holder.Process.Kill())
			_ = holder.Wait()
			return held[0].answer - free[0].answer
		})
	}
}

func (l *bench) promiseNames() {
	const what, name = "third wrong recipient to the end of the connection: ", "promise-names"
	if why := lackOfSendmail(); why != "" {
		l.put(row{What: what + "sendmail -bs", Skipped: why})
	} else {
		site := l.sendmailSite(name+"-sendmail", l.socket(name))
		g := l.guarded(name, "", "mta "+strings.Join(bs(site), " "), "greet_delay 0s",
			"bad_rcpt_delay 0s")
		l.thirdName(what+"sendmail -bs", g, l.inetd(g.program, "-f", g.conf))
	}
	if why := lab.NoPostfix(); why != "" {
		l.put(row{What: what + "Postfix", Skipped: why})
	} else {
		g := l.guarded(name+"-postfix", lab.PostfixUser, "bad_rcpt_delay 0s")
		l.thirdName(what+"Postfix", g, l.smtpd("postfix-"+name, g.milters()...))
	}
}

func (l *bench) thirdName(what string, g guarded, at *daemon) {
	bad := func(i int) string { return "RCPT TO:<" + nameOf(i) + "@" + lab.HostName + ">" }
	came := 0
	l.promise(what, 1000, 3, func() time.Duration {
		c := must(dial(l.client(), at.addr))
		defer c.close()
		check(c.converse(turn{"", "220 "}, turn{"HELO x.example", "250 "},
			turn{"MAIL FROM:<x@x.example>", "250 "}, turn{bad(0), "550 "}, turn{bad(1), "550 "}))
		began := time.Now()
		check(c.write(bad(2) + "\r\n"))
		must(c.rest())
		took := time.Since(began)
		if came++; must(g.status()).Verdicts[caught] != came {
			check(fmt.Errorf("%d clients, and the guard has not caught all", came))
		}
		return took
	})
}

func (l *bench) promiseCommands() {
	const blocks = 10_000
	i := l.instance("promise-commands", "mta "+l.program("stub"))
	in, _, err := ledger.Open(i.ledger, ledgerSize, ledger.ThisBoot())
	check(err)
	for n := range blocks {
		check(in.Do(ledger.Now(), func(t *ledger.Tx) {
			from := netip.AddrFrom4([4]byte{10, 7, byte(n >> 8), byte(n)})
			t.Block(netip.PrefixFrom(from, 32), time.Hour, "x", ledger.Penalty{Max: time.Hour})
		}))
	}
	check(in.Close())
	nonsense := &instance{program: i.program, conf: l.program("nonsense.conf")}
	check(os.WriteFile(nonsense.conf, []byte(strings.Repeat("x\n", 8_000_000)), 0o600))
	l.promise("sendwrap blocks -nft: 10,000 blocks", 5000, 3, func() time.Duration {
		return i.timed("\nadd element", blocks, "blocks", "-nft")
	})
	l.promise("sendwrap check: 16 MB of nonsense", 30_000, 3, func() time.Duration {
		return nonsense.timed(" more errors; correct these first", 1, "check")
	})
}

// timed returns how long a command takes, which must say this so many times.
func (i *instance) timed(says string, n int, name string, args ...string) time.Duration {
	began := time.Now()
	out, err := i.command(name, args...)
	took := time.Since(began)
	if got := strings.Count(fmt.Sprint(string(out), err), says); got != n {
		check(fmt.Errorf("sendwrap %s says %q %d times, want %d; %v", name, says, got, n, err))
	}
	return took
}

func (l *bench) promiseSpawnRate() {
	i := l.instance("promise-spawn", "mta "+l.program("stub"), "greet_delay 0s", "spawn_rate 10")
	p, r := i.in(l.room(i), stubGreeting), load{clients: 30, atOnce: 30, from: l.client}
	l.promise("spawn_rate 10: the last of 30 greeted, due at 2 s", 3500, 1, func() time.Duration {
		time.Sleep(1100 * time.Millisecond) // what was started before does not count any more
		return must(l.flood("PASS", p, r))[0].took
	})
}
