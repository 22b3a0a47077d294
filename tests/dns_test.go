package tests

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// dns start|stop|freeze|thaw [resolver|lists], dns reload
//
// Starts, ends or stops a real resolver at $DNS, and the server of the lists behind it, port 5353;
// or one of them. What they serve is in dns/. `reload` makes the latter read its lists again; the
// resolver remembers what it knows.
func cmdDNS(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: dns start|stop|freeze|thaw [resolver|lists], dns reload")
	}
	s := scriptOf(ts)
	lab.Need(s.t, lab.NoDNS())
	which := []string{"lists", "resolver"}
	if len(args) == 2 {
		which = args[1:]
	}
	for _, name := range which {
		switch d := s.dns[name]; args[0] {
		case "start":
			s.startDNS(ts, name)
		case "stop":
			d.daemon.Stop()
		case "freeze":
			ts.Check(unix.Kill(d.daemon.PID(), unix.SIGSTOP))
			if !lab.Await(func() bool { return stopped(d.daemon.PID()) }) {
				ts.Fatalf("%s has not stopped", name)
			}
		case "thaw":
			ts.Check(unix.Kill(d.daemon.PID(), unix.SIGCONT))
			_, err := d.Queries() // it answers what came meanwhile first
			ts.Check(err)
		case "reload":
			if name == "lists" {
				s.reloadLists(ts)
			}
		default:
			ts.Fatalf("dns %s: unknown", args[0])
		}
	}
}

// A dnsServer is one of the two that runs for a script.
type dnsServer struct {
	lab.DNSServer
	daemon *lab.Daemon
}

// site is what the script's servers serve.
func (s *script) site(ts *testscript.TestScript) lab.DNSSite {
	return lab.DNSSite{Dir: ts.MkAbs("dns"), At: netip.MustParseAddr(ts.Getenv("DNS"))}
}

// startDNS starts one of them, and waits until it answers.
func (s *script) startDNS(ts *testscript.TestScript, name string) {
	of := s.site(ts).Resolver
	if name == "lists" {
		of = s.site(ts).Lists
	}
	server, err := of()
	ts.Check(err)
	d, err := s.machine.daemon(ts.MkAbs("dns"), s.environ(ts), server.Argv, server.Log)
	ts.Check(err)
	s.dns[name] = dnsServer{server, d}
	_, err = server.Queries()
	ts.Check(err)
}

// reloadLists makes rbldnsd read its lists again, and waits until it has.
func (s *script) reloadLists(ts *testscript.TestScript) {
	server, err := s.site(ts).Lists() // which also writes what is served
	ts.Check(err)
	loaded := func() int {
		text, err := os.ReadFile(server.Log)
		ts.Check(err)
		return strings.Count(string(text), "zones reloaded")
	}
	before := loaded()
	ts.Check(unix.Kill(s.dns["lists"].daemon.PID(), unix.SIGHUP))
	if !lab.Await(func() bool { return loaded() > before }) {
		ts.Fatalf("the lists are not read again")
	}
}

// queries resolver|lists N [REGEXP]
//
// So many queries must have come to that server, or so many that match: those that are under way
// are waited for. A line of lists is `TIME ADDRESS NAME TYPE IN: RESULT/…`, one of the resolver
// `… ADDRESS NAME. TYPE IN`.
func cmdQueries(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: queries resolver|lists N [REGEXP]")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	re, err := regexp.Compile(strings.Join(args[2:], ""))
	ts.Check(err)
	server, runs := scriptOf(ts).dns[args[0]]
	if !runs {
		ts.Fatalf("there is no %s; write `dns start`", args[0])
	}
	var lines []string
	lab.Await(func() bool {
		lines, err = server.Queries()
		ts.Check(err)
		lines = slices.DeleteFunc(lines, func(line string) bool { return !re.MatchString(line) })
		return len(lines) >= want
	})
	if len(lines) != want {
		tail := lines[max(0, len(lines)-40):]
		ts.Fatalf("%d queries came to %s; want %d:\n%s", len(lines), args[0], want,
			strings.Join(tail, "\n"))
	}
	ts.Logf("%s", fmt.Sprint(len(lines), " queries"))
}
