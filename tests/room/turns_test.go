package room

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// spawn_rate is far too low for the crowd of one IPv6 /48 that has passed. A known client and a
// newcomer of other networks get the next two MTAs when they come, although hundreds have waited
// longer.
func TestTurnsInCrowd(t *testing.T) {
	const networks, each = 150, 2
	const underWay = 8 // MTAs that may be starting already when they come
	lab.Need(t, lab.NoNamespaces())
	s := serveAt(t, addr("::1"), "client_conns 0\nspawn_rate 1\ngreet_delay 0s\n"+
		"client 2001:db8:1::/48 greet_delay=5s\n", 65536)
	known, newcomer := addr("2001:db8:2::1"), addr("2001:db8:3::1")
	s.checkGreeted(known)
	connect := func(from netip.Addr) *lab.Client {
		t.Helper()
		c, err := lab.Dial(from, s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	s.signal(unix.SIGSTOP) // so that nobody of the crowd is known when it arrives
	for n := range networks {
		for range each {
			connect(addr(fmt.Sprintf("2001:db8:1:%x::1", n)))
		}
	}
	s.signal(unix.SIGCONT)
	crowd := func() int { return s.logged("client=[2001:db8:1:") }
	lab.Eventually(t, "the crowd has passed", func() bool { return crowd() > 1 })
	s.signal(unix.SIGSTOP) // so that both arrive in the same moment
	before := crowd()
	connect(known)
	c := connect(newcomer)
	s.signal(unix.SIGCONT)
	if got := reply(c); !strings.HasPrefix(got, "220 ") {
		t.Fatalf("the newcomer gets %q", got)
	}
	s.waitLogged("PASS client=[2001:db8:3::1]", 1)
	var order []string
	for line := range strings.Lines(string(s.log())) {
		if _, from, ok := strings.Cut(line, "client=["); ok {
			from, _, _ = strings.Cut(from, "]")
			order = append(order, from)
		}
	}
	order = order[1+before:] // the known client's first visit
	at := len(order)
	for i, from := range order {
		if from == known.String() {
			at = i
			break
		}
	}
	if at > underWay || at+1 >= len(order) || order[at+1] != newcomer.String() {
		t.Errorf("MTAs started when they had come: %q; want %v and %v next", order, known, newcomer)
	}
	if n := crowd(); n > networks {
		t.Errorf("%d of the crowd have an MTA: this test proves nothing", n)
	}
}
