package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sendwrap/tests/lab"
)

// What a client may cost that three lists are asked about.
const (
	listsTarget       = 0.8 // of CPU: times postscreen with its dnsblog
	listsMemoryTarget = 1.5 // of the room's memory, while it waits: times one without lists
)

// listedClients are those that the lists name. The others of benchmarkClients are clean.
var (
	listedClients = netip.MustParsePrefix("198.18.0.0/16")
	cleanClients  = netip.MustParsePrefix("198.19.0.0/16")
)

// threeLists are what sendwrap and postscreen ask. The first two name a listed client.
const threeLists = "one.lists.test*2 two.lists.test three.lists.test"

// dns is a resolver with the three lists behind it.
type dns struct{ resolver, lists lab.DNSServer }

// startDNS starts them, and makes the resolver the machine's. why says what it lacks for that; "" is
// nothing.
func (l *bench) startDNS() (d dns, why string) {
	if why := lab.NoDNS(); why != "" {
		return d, why
	}
	site := lab.DNSSite{Dir: filepath.Join(l.dir, "dns"), At: netip.MustParseAddr("127.0.0.1")}
	check(os.MkdirAll(site.Dir, 0o755))
	const listed = "127.0.0.2\n198.18.0.0/16\n"
	for zone, text := range map[string]string{"one": listed, "two": listed, "three": "127.0.0.2\n"} {
		check(os.WriteFile(filepath.Join(site.Dir, zone+".lists.test.ip4set"), []byte(text), 0o644))
	}
	d = dns{must(site.Resolver()), must(site.Lists())}
	for _, s := range []lab.DNSServer{d.lists, d.resolver} {
		must(lab.Start(osexec.Command(s.Argv[0], s.Argv[1:]...), s.Log))
		must(s.Queries())
	}
	check(lab.Cover("/etc/resolv.conf", "nameserver 127.0.0.1\n"))
	return d, ""
}

// tests are the queries by which sendwrap tests a list.
var tests = regexp.MustCompile(`[12]\.0\.0\.127\.\S*lists\.test`)

// asked is how many queries about clients the resolver has been sent.
func (d dns) asked() (n int) {
	for _, line := range must(d.resolver.Queries()) {
		if strings.Contains(line, "lists.test") && !tests.MatchString(line) {
			n++
		}
	}
	return n
}

// each returns a source of clients: the addresses of a network, one after the other.
func each(network netip.Prefix) func() netip.Addr {
	next := network.Addr().Next()
	return func() netip.Addr {
		next = next.Next()
		return next
	}
}

// listing is an instance that asks the three lists, with more directives.
func (l *bench) listing(name string, directives ...string) *instance {
	return l.instance(name, append([]string{"dnsbl " + threeLists, "dnsbl_threshold 2",
		"mta " + l.program("stub"), "greet_delay 2s stress=2s", "max_waiting 20000"},
		directives...)...)
}

// screening is a postscreen that asks the three lists. Its helpers stay, so that their CPU time can
// be asked for.
func (l *bench) screening(name, logs string) *daemon {
	return l.postscreen("postfix-"+name, logs, "postscreen_greet_wait = 2s",
		"postscreen_greet_banner =",
		"postscreen_dnsbl_sites = "+strings.ReplaceAll(threeLists, " ", ", "),
		"postscreen_dnsbl_threshold = 2", "postscreen_dnsbl_action = drop",
		"max_use = 1000000", "max_idle = 1h", "local_recipient_maps =",
		"smtpd_peername_lookup = no")
}

// measureLists measures what lists cost: for a listed client that is refused, and for a clean one
// that passes.
func measureLists(l *bench) {
	d, why := l.startDNS()
	if why != "" {
		l.put(row{What: "lists", Skipped: why})
		return
	}
	for _, kind := range []struct {
		what, name, verdict, logs string
		from                      netip.Prefix
		ours, theirs              string
	}{
		{"a listed client that is refused", "listed", "DNSBL", "DNSBL", listedClients,
			listedReply, "521 5.7.1 "},
		{"a clean client that passes", "clean", "PASS", "PASS", cleanClients,
			stubGreeting, "220 "},
	} {
		l.part("CPU of "+kind.what, func() {
			i := l.listing("lists-" + kind.name)
			room := l.room(i)
			peers := []peer{i.in(room, kind.ours), i.peer(kind.ours).called(eachItsOwn)}
			if lab.NoPostfix() == "" {
				p := l.screening("lists-"+kind.name, kind.logs)
				peers = append(peers, peer{name: postscreen, at: p, says: kind.theirs})
			}
			l.listsCPU(kind.what, kind.verdict, peers, each(kind.from))
		})
	}
	l.part("queries", func() { l.listsQueries(d) })
	l.part("time of clients of lists", l.listsTimes)
	l.part("memory of clients of lists", l.listsMemory)
	l.part("counts of lists", l.listsCounts)
}

// listedReply is what a listed client reads.
const listedReply = "554 5.7.1 "

// listsCPU lets clients visit the peers in turns, many at once: postscreen holds each for a second.
func (l *bench) listsCPU(what, verdict string, peers []peer, from func() netip.Addr) {
	for _, p := range peers {
		if p.name == postscreen { // it starts a helper for each query: the first may be late
			p.says = ""
			must(l.greetings(p, load{clients: 100, atOnce: 100, from: from}))
		}
	}
	got := must(takeTurns(l.fewer(10), peers, func(p peer) ([]burst, error) {
		r := load{clients: 500, atOnce: 100, from: from}
		if p.at == nil || l.quick {
			r.clients, r.atOnce = 100, 20
		}
		return reaching(p, verdict, r.clients, func() ([]burst, error) {
			return l.greetings(p, r)
		})
	}))
	cpu := got.reduce(cpuEach)
	l.put(cpu.compared("CPU of "+what+": three lists, the room", "µs", 0,
		limits{{postscreen, listsTarget}})...)
}

// greetings lets the clients of a load come, read one reply and go.
func (l *bench) greetings(p peer, r load) ([]burst, error) {
	before, err := p.own()
	if err != nil {
		return nil, err
	}
	b := burst{clients: r.clients}
	began := time.Now()
	here := make([]visitor, 0, r.clients)
	for done := 0; done < r.clients; {
		if n := len(here); n < r.clients && n-done < r.atOnce {
			v, err := l.arrive(p, r.from(), r.opening)
			if err != nil {
				return nil, err
			}
			here = append(here, v)
			continue
		}
		used, err := here[done].greeting()
		if err != nil {
			return nil, err
		}
		b.cpu += used
		done++
	}
	b.took = time.Since(began)
	after, err := p.own()
	b.cpu += after - before
	return []burst{b}, err
}

// greeting waits for the first reply, leaves, and waits for the end of the client's process, if it
// has one.
func (v visitor) greeting() (cpu time.Duration, err error) {
	reply, err := v.client.reply()
	v.client.close()
	if err == nil && !strings.HasPrefix(reply, v.peer.says) {
		err = fmt.Errorf("the client received %q, want %q", reply, v.peer.says)
	}
	if err == nil && v.child != 0 {
		cpu, err = v.child.wait()
	}
	return cpu, err
}

// own is the CPU time that a daemon has used when it has no work left, without that of the MTAs
// behind it.
func (p peer) own() (sum time.Duration, err error) {
	if p.at == nil {
		return 0, nil
	}
	const pause = 20 * time.Millisecond
	last := -time.Hour
	err = await(p.at.name+" has nothing left to do", func() (bool, error) {
		time.Sleep(pause)
		sum = 0
		for _, c := range p.at.processes() {
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", c))
			for _, name := range []string{"sendwrap-room", postscreen, "dnsblog"} {
				if strings.TrimSpace(string(comm)) == name {
					used, err := lab.CPU(int(c))
					if err != nil {
						return false, errors.New("a process has ended whose CPU time counts")
					}
					sum += used
				}
			}
		}
		idle := sum-last < 50*time.Microsecond
		last = sum
		return idle, nil
	})
	return sum, err
}

// listsQueries counts what the resolver is asked for 1,000 connections of 100 listed addresses.
func (l *bench) listsQueries(d dns) {
	const addresses, times = 100, 10
	i := l.listing("lists-queries")
	peers := []peer{i.in(l.room(i), listedReply)}
	// With a ledger of its own: it shall know nothing of these clients.
	i = l.listing("lists-queries-each")
	peers = append(peers, i.peer(listedReply).called(eachItsOwn))
	if lab.NoPostfix() == "" {
		p := l.screening("lists-queries", "DNSBL")
		peers = append(peers, peer{name: postscreen, at: p, says: "521 5.7.1 "})
	}
	got := make(series)
	for _, p := range peers {
		before := d.asked()
		for range times {
			r := load{clients: addresses, atOnce: 20, from: each(listedClients)}
			must(reaching(p, "DNSBL", addresses, func() ([]burst, error) {
				return l.greetings(p, r)
			}))
		}
		got[p.name] = []float64{float64(d.asked() - before)}
	}
	l.put(got.row("queries for 1000 connections of 100 listed addresses: three lists", "").
		within(3 * addresses))
}

// listsTimes measures how soon a welcomed client is greeted, and a listed one is refused.
func (l *bench) listsTimes() {
	l.put(row{What: "time of clients of lists", Skipped: "not yet"})
}

func (l *bench) listsMemory() {
	l.put(row{What: "memory of clients of lists", Skipped: "not yet"})
}

func (l *bench) listsCounts() {
	l.put(row{What: "counts of lists", Skipped: "not yet"})
}
