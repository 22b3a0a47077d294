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

// What lists say of benchmarkClients.
var (
	listedClients  = netip.MustParsePrefix("198.18.0.0/17")
	welcomeClients = netip.MustParsePrefix("198.18.128.0/17")
	cleanClients   = netip.MustParsePrefix("198.19.0.0/16")
)

// threeLists are what sendwrap and postscreen ask. The first two name a listed client.
const threeLists = "one.lists.test*2 two.lists.test three.lists.test"

// listsBench is a bench with lists, and clients of each kind.
type listsBench struct {
	*bench
	resolver               lab.DNSServer
	listed, welcome, clean func() netip.Addr
}

// withLists is a measurement that has lists, if the machine has servers for them.
func withLists(measure func(*listsBench)) func(*bench) {
	return func(l *bench) {
		if why := lab.NoDNS(); why != "" {
			l.put(row{What: "lists", Skipped: why})
			return
		}
		measure(l.startLists())
	}
}

// startLists starts a resolver with lists behind it, and makes it the machine's.
func (l *bench) startLists() *listsBench {
	site := lab.DNSSite{Dir: filepath.Join(l.dir, "dns"), At: netip.MustParseAddr("127.0.0.1")}
	check(os.MkdirAll(site.Dir, 0o755))
	const point = "127.0.0.2\n"
	listed, welcome := point+listedClients.String()+"\n", point+welcomeClients.String()+"\n"
	for zone, text := range map[string]string{
		"one": listed, "two": listed, "three": point, "white": welcome,
	} {
		check(os.WriteFile(filepath.Join(site.Dir, zone+".lists.test.ip4set"), []byte(text), 0o644))
	}
	resolver := must(site.Resolver())
	for _, s := range []lab.DNSServer{must(site.Lists()), resolver} {
		must(lab.Start(osexec.Command(s.Argv[0], s.Argv[1:]...), s.Log))
		must(s.Queries())
	}
	check(lab.Cover("/etc/resolv.conf", "nameserver 127.0.0.1\n"))
	return &listsBench{l, resolver, each(listedClients), each(welcomeClients), each(cleanClients)}
}

// tests are the queries by which sendwrap tests a list.
var tests = regexp.MustCompile(`[12]\.0\.0\.127\.\S*lists\.test`)

// asked is how many queries about clients the resolver has been sent.
func (l *listsBench) asked() (n int) {
	for _, line := range must(l.resolver.Queries()) {
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
func (l *bench) listing(name, delay string, directives ...string) *instance {
	return l.instance(name, append([]string{"dnsbl " + threeLists, "dnsbl_threshold 2",
		"mta " + l.program("stub"), "greet_delay " + delay + " stress=" + delay,
		"max_waiting 20000"}, directives...)...)
}

// slowly are parameters of a postscreen that holds each client for two seconds, and whose helpers
// stay, so that their CPU time can be asked for.
func slowly() []string {
	return []string{"postscreen_greet_wait = 2s",
		"max_use = 1000000", "max_idle = 1h", "local_recipient_maps =",
		"smtpd_peername_lookup = no"}
}

// screening is a postscreen that asks the three lists.
func (l *bench) screening(name, logs string) *daemon {
	return l.postscreen("postfix-"+name, logs, append([]string{
		"postscreen_dnsbl_sites = " + strings.ReplaceAll(threeLists, " ", ", "),
		"postscreen_dnsbl_threshold = 2", "postscreen_dnsbl_action = drop"}, slowly()...)...)
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
