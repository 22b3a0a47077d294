package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// floodDelay is the greet delay of clients that come to a door for the first time.
const floodDelay = 2 * time.Second

// patience is how long a client waits for its greeting. RFC 5321 §4.5.3.2.1 asks for five minutes,
// but a door that takes so long has failed.
const patience = 20 * time.Second

// The addresses of a flood: no two share a network, an IPv4 /16 or an IPv6 /48.
var (
	doorSix   = netip.MustParseAddr("2001:db8:25::25")
	knownFrom = netip.MustParseAddr("192.0.2.1")
	newFrom   = netip.MustParseAddr("203.0.113.1")
)

// knowns is how many known clients there are. None of them has more than a few connections.
const knowns = 20

// door is where clients and attackers come: a program that listens, IPv4 and IPv6.
type door struct {
	name      string
	instance  *instance // nil: postscreen
	at        *daemon
	four, six netip.AddrPort
}

// listening returns the door of a program that is started by argv for its two addresses.
func (l *bench) listening(name string, argv func(addrs []netip.AddrPort) []string) door {
	d := door{name: name, four: l.freePort()}
	d.six = netip.AddrPortFrom(doorSix, d.four.Port())
	up := func() bool { return lab.Listening(d.four) && lab.Listening(d.six) }
	d.at = l.launch(up, argv([]netip.AddrPort{d.four, d.six}))
	return d
}

// eachDoor is an inetd that starts the instance for each client. It has priority over its children,
// so that the clients do not wait in its queue, as they would on a small machine, but come all at
// once.
func (l *bench) eachDoor(i *instance) door {
	d := l.listening(eachItsOwn, func(addrs []netip.AddrPort) []string {
		dir := must(os.MkdirTemp(l.dir, inetd))
		argv, _, err := lab.SuperServer(inetd, dir, addrs, i.program, "-f", i.conf)
		check(err)
		return argv
	})
	first := unix.SchedAttr{Nice: -20, Flags: unix.SCHED_FLAG_RESET_ON_FORK}
	check(os.NewSyscallError("sched_setattr", unix.SchedSetAttr(d.at.cmd.Process.Pid, &first, 0)))
	d.instance = i
	return d
}

// roomDoor is a room of the instance.
func (l *bench) roomDoor(i *instance) door {
	d := l.listening("the room", func(addrs []netip.AddrPort) []string {
		return []string{i.program, "listen", "-f", i.conf, addrs[0].String(), addrs[1].String()}
	})
	d.instance, d.at.ours = i, true
	return d
}

// postscreenDoor is a postscreen with as many places to wait and sessions as sendwrap has by
// default. Its limit of connections of one client is its own default, 50 as well.
func (l *bench) postscreenDoor(name string, parameters ...string) door {
	const port = 25 // on all addresses, where any other may be a client's
	d := door{name: postscreen, six: netip.AddrPortFrom(doorSix, port)}
	d.four = netip.AddrPortFrom(l.server.addr.Addr(), port)
	site := lab.PostfixSite{
		Dir: filepath.Join(l.dir, "postfix-"+name),
		Main: append([]string{
			"inet_protocols = all",
			"postscreen_access_list =",
			fmt.Sprintf("postscreen_greet_wait = %v", floodDelay),
			"postscreen_greet_action = drop",
			"postscreen_pre_queue_limit = 20000",
			"postscreen_post_queue_limit = 300",
			"local_recipient_maps =", // else smtpd waits for a service that is not there
			"local_transport = discard:",
		}, parameters...),
		Master: append([]string{
			fmt.Sprintf("%d inet n - n - 1 postscreen", port), // all addresses: it has one process
			"smtpd pass - - n - 300 smtpd",
			"anvil unix - - n - 1 anvil",
		}, lab.PostfixServices...),
	}
	d.at = l.postfix(netip.AddrPortFrom(netip.IPv4Unspecified(), port), site)
	return d
}

// greeting is the first reply that a client has read, and when.
type greeting struct {
	reply string // "" = the connection has ended; errNoAnswer's text = nothing in time
	took  time.Duration
}

// greeted tells whether the client may send its mail.
func (g greeting) greeted() bool { return strings.HasPrefix(g.reply, "220") }

// knock lets a client connect and wait for its greeting.
func (d door) knock(from netip.Addr, most time.Duration) (greeting, error) {
	began := time.Now()
	c, err := dial(from, d.four)
	if err != nil {
		return greeting{}, err
	}
	defer c.close()
	if err := boundBy(c.fd, most); err != nil {
		return greeting{}, err
	}
	reply, err := c.reply()
	took := time.Since(began)
	if errors.Is(err, errNoAnswer) || took > most {
		reply = errNoAnswer.Error()
	}
	return greeting{reply, took}, nil
}

// knocks lets n clients come, one after each interval, whether or not those before have been
// greeted: otherwise few would come while the door is slow, and the worst time would be a single
// client's.
func (d door) knocks(
	n int, every time.Duration, from netip.Addr, of int, most time.Duration,
) ([]greeting, error) {
	heard, errs := make([]greeting, n), make([]error, n)
	began := time.Now()
	var all sync.WaitGroup
	for i := range n {
		time.Sleep(time.Until(began.Add(time.Duration(i) * every)))
		all.Go(func() {
			ahead()
			a := from.As4()
			a[3] += byte(i % of)
			heard[i], errs[i] = d.knock(netip.AddrFrom4(a), most)
		})
	}
	all.Wait()
	return heard, errors.Join(errs...)
}

// judged calls run, and checks that the door lets all n clients in meanwhile, and why: by the
// verdict PASS or KNOWN. Postscreen sends a first line to clients that have to wait.
func (d door) judged(verdict string, n int, run func() ([]greeting, error)) ([]greeting, error) {
	p := peer{instance: d.instance, at: d.at}
	begins := "220"
	if d.instance == nil {
		d.at.logs = postscreen + " PASS"
		begins = map[string]string{"PASS": "220-", "KNOWN": "220 "}[verdict]
	}
	return reaching(p, verdict, n, func() ([]greeting, error) {
		heard, err := run()
		for _, g := range heard {
			if err == nil && !strings.HasPrefix(g.reply, begins) {
				err = fmt.Errorf("a client heard %q, and nobody attacks; want %q", g.reply, begins)
			}
		}
		return heard, err
	})
}

// known makes the known clients known: they wait, which they have not done before.
func (d door) known() error {
	_, err := d.judged("PASS", knowns, func() ([]greeting, error) {
		return d.knocks(knowns, 0, knownFrom, knowns, patience)
	})
	return err
}

// pace returns the interval at which known clients come: 40 times a second, or, at a door that is
// slow without any attacker, so rarely that mostly one of them is there.
func (d door) pace() (time.Duration, error) {
	heard, err := d.judged("KNOWN", 5, func() (all []greeting, err error) {
		for len(all) < 5 && err == nil {
			var g greeting
			g, err = d.knock(knownFrom, patience)
			all = append(all, g)
		}
		return all, err
	})
	usual := time.Duration(greetingsOf(heard).Median * float64(time.Millisecond))
	return max(25*time.Millisecond, 2*usual), err
}

// closed waits until no client waits or is in session, and ends the door.
func (d door) closed() error {
	var err error
	if d.instance != nil {
		err = await("all have left "+d.name, func() (bool, error) {
			time.Sleep(50 * time.Millisecond)
			s, err := d.instance.status() // the ledger may be crowded for a while yet
			return err == nil && s.Sessions.Waiting+s.Sessions.Serving == 0, nil
		})
	}
	return errors.Join(err, d.at.stop())
}
