package share

import (
	"fmt"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// A site that is split: two machines with the engine, and one without. On both sides blocks begin
// and end. When the site is whole again, all machines have the same blocks, and none that was ended
// has come back.
func TestSplit(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "nft")
	all := three(t, startEngine(t, redis), quick)
	a, b, c := all[0], all[1], all[2]
	for n, m := range []*machine{a, c, a, c} {
		m.command("block", fmt.Sprintf("198.18.0.%d", n+1), "1h")
	}
	for _, m := range all {
		for n := range 4 {
			m.waitNetwork(fmt.Sprintf("198.18.0.%d/32", n+1), true)
		}
	}
	c.cut()
	c.waitLogged(away, 1)
	c.command("unblock", "198.18.0.1") // each side ends a block of the other's,
	a.command("unblock", "198.18.0.2")
	b.command("unblock", "198.18.0.3") // and one of its own
	b.command("block", "198.18.1.1", "1h")
	c.command("block", "198.18.1.2", "1h")
	a.command("block", "198.18.1.3", "1h")
	b.waitNetwork("198.18.1.3/32", true)
	b.command("unblock", "198.18.1.3") // has begun and ended meanwhile
	for _, m := range all {            // which word is the last depends on the clocks
		m.command("block", "198.18.2.1", "1h")
		if m != b {
			m.command("unblock", "198.18.2.1")
		}
	}
	a.waitNetwork("198.18.1.1/32", true)
	for _, m := range all {
		m.waitNetwork("198.18.0.4/32", true)
		m.waitNetwork("198.18.1.2/32", m == c)
	}
	c.nft("delete table ip cut")
	c.waitLogged(back, 2)
	last := map[*machine]string{a: "198.18.3.1", b: "198.18.3.2", c: "198.18.3.3"}
	for m, network := range last {
		m.command("block", network, "1h") // what comes after all else that it says
	}
	for _, m := range all {
		for _, network := range last {
			m.waitNetwork(network+"/32", true)
		}
	}
	for _, m := range all {
		for network, want := range map[string]bool{"198.18.0.1/32": false, "198.18.0.2/32": false,
			"198.18.0.3/32": false, "198.18.0.4/32": true, "198.18.1.1/32": true,
			"198.18.1.2/32": true, "198.18.1.3/32": false,
			"198.18.2.1/32": a.hasBlock("198.18.2.1/32")} {
			if m.hasBlock(network) != want {
				t.Errorf("%s: is %s blocked? %v; want %v", m.name, network, !want, want)
			}
		}
	}
}

// hasBlock reports whether `sendwrap blocks` has the network, and waitNetwork waits for that.
func (m *machine) hasBlock(network string) bool {
	m.t.Helper()
	return strings.Contains(m.command("blocks", "-json"), `"`+network+`"`)
}

func (m *machine) waitNetwork(network string, want bool) {
	m.t.Helper()
	if !lab.Await(func() bool { return m.hasBlock(network) == want }) {
		m.t.Fatalf("%s: is %s blocked? %v; want %v", m.name, network, !want, want)
	}
}

// cut cuts the machine off, both ways: else the answer to what it asked before comes yet.
func (m *machine) cut() {
	m.t.Helper()
	m.nft("table ip cut {\n" +
		"chain out { type filter hook output priority 0; oifname wire drop; }\n" +
		"chain in { type filter hook input priority 0; iifname wire drop; }\n}")
}
