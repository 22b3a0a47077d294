package share

import (
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// three starts three machines that share.
func three(t *testing.T, e *engine, conf string) (all []*machine) {
	t.Helper()
	for _, name := range []string{"mx1", "mx2", "mx3"} {
		m := newMachine(t, e, name, conf)
		m.startRoom()
		m.startShare()
		m.waitLogged("answers; this machine is "+name, 1)
		all = append(all, m)
	}
	return all
}

// quick is for clients that need not wait.
const quick = "greet_delay 0s\n"

// A block on one machine refuses clients at all, and its end lets them in at all, wherever it was
// ended. What comes from another machine is marked, and never sent on.
func TestBlocksReachAll(t *testing.T) {
	eachEngine(t, testBlocks)
}

func testBlocks(t *testing.T, name string) {
	e := startEngine(t, name)
	all := three(t, e, quick)
	began := time.Now()
	all[0].command("block", "198.18.0.1", "1h")
	for _, m := range all[1:] {
		m.waitLogged("BLOCK network=198.18.0.1/32", 1)
		t.Logf("%s has it after %v", m.name, time.Since(began)) // no verdict: machines differ
		m.waitBlocked("198.18.0.1", true)
		if m.blocked("198.18.0.2") {
			t.Errorf("%s: another client is blocked", m.name)
		}
		if m.logged("share", "from=mx1") != 1 || m.logged("listen", "from=mx1") == 0 {
			t.Errorf("%s: the log does not say from=mx1", m.name)
		}
	}
	all[2].command("unblock", "198.18.0.1")
	for _, m := range all[:2] {
		m.waitLogged("UNBLOCK network=198.18.0.1/32 freed=1 from=mx3", 1)
		m.waitBlocked("198.18.0.1", false)
	}
	stream := e.do("xrange", "sendwrap:{events}", "-", "+")
	if n := strings.Count(stream, "block 198.18.0.1/32"); n != 2 {
		t.Errorf("the stream has %d words about the network; want a block and its end:\n%s", n,
			stream)
	}
}

// A client that one machine knows does not wait at the others.
func TestKnownCarriesOver(t *testing.T) {
	t.Parallel()
	all := three(t, startEngine(t, redis), "greet_delay 2s\n")
	visit := func(m *machine) {
		c := m.dial("198.18.0.3")
		defer c.Abort()
		if got, err := c.Reply(); err != nil || got[:4] != "220 " {
			t.Fatalf("%s: %q, %v", m.name, got, err)
		}
		if got, err := c.Say("QUIT"); err != nil || got[:4] != "221 " {
			t.Fatalf("%s: QUIT: %q, %v", m.name, got, err)
		}
	}
	visit(all[0])
	for _, m := range all[1:] {
		lab.Eventually(t, "the word about the client is applied", func() bool {
			s := m.sharing()
			return len(s.Machines) > 0 && s.Machines[0].Applied > 0
		})
		visit(m)
		lab.Eventually(t, "the log has the client", func() bool {
			return m.logged("listen", "client=[198.18.0.3]") > 0
		})
		if m.logged("listen", "KNOWN client=[198.18.0.3]") != 1 {
			t.Errorf("%s does not know the client", m.name)
		}
	}
}
