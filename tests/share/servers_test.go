package share

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// crossing is an address of the network that all machines reach, by which servers name each other.
const crossing = "10.255.255.1"

func makeCrossing(t *testing.T) {
	t.Helper()
	if err := lab.IP("addr replace " + crossing + "/32 dev lo"); err != nil {
		t.Fatal(err)
	}
}

// atCrossing makes a machine that reaches the crossing, with that share_engine. It has a user of
// its own, which it gets on the engines.
func atCrossing(t *testing.T, name, share string, engines ...*engine) *machine {
	t.Helper()
	m := newMachine(t, engines[0], name, quick)
	m.do(func() {
		if err := lab.IP("route add " + crossing + " via " + m.here + " dev wire"); err != nil {
			t.Fatal(err)
		}
	})
	m.configure(m.asUser(share), quick)
	if name == "mx1" {
		m.grant(engines...)
	}
	m.startShare()
	m.waitLogged(back, 1)
	return m
}

func (e *engine) url() string { return fmt.Sprintf("valkey://%s:%d", crossing, e.port) }

// Sentinel: when the primary is gone, the replica becomes one, and the machines find it.
func TestSentinel(t *testing.T) {
	eachEngine(t, testSentinel)
}

func testSentinel(t *testing.T, name string) {
	makeCrossing(t)
	first := startEngine(t, name)
	second := startEngine(t, name, "--replicaof", crossing, fmt.Sprint(first.port))
	lab.Eventually(t, "the replica has what the primary has", func() bool {
		return strings.Contains(second.do("info", "replication"), "master_link_status:up")
	})
	sentinel := &engine{t: t, dir: first.dir, port: newPort()}
	conf := filepath.Join(first.dir, "sentinel.conf")
	err := os.WriteFile(conf, fmt.Appendf(nil, `port %d
bind 0.0.0.0
protected-mode no
dir %s
sentinel monitor mail %s %d 1
sentinel down-after-milliseconds mail 3600000
sentinel failover-timeout mail 10000
`, sentinel.port, first.dir, crossing, first.port), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	argv := append(command(t, name), conf, "--sentinel")
	log := filepath.Join(first.dir, "sentinel.log")
	d, err := lab.Start(exec.Command(argv[0], argv[1:]...), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.KillAll)
	ask := func(words ...string) string {
		out, _ := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(sentinel.port),
			"sentinel"}, words...)...).Output()
		return string(out)
	}
	lab.Eventually(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(ask("replicas", "mail"), fmt.Sprint(second.port))
	})

	share := sentinel.url() + " master=mail"
	a, b := atCrossing(t, "mx1", share, first, second), atCrossing(t, "mx2", share, first)
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	first.KillAll()
	// Only now: a primary that has no processor for a while must not be taken for gone.
	if got := ask("set", "mail", "down-after-milliseconds", "2000"); got != "OK\n" {
		t.Fatalf("the Sentinel says %q", got)
	}
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	checkAwayOnce(t, a, b)
	lab.Eventually(t, "the new primary has all of the state", func() bool {
		return second.do("exists", "sendwrap:state:mx1:198.18.0.1/32",
			"sendwrap:state:mx1:198.18.0.2/32") == "2"
	})
}

// Cluster: keys are on three servers, the stream on one of them. Where one server alone is named,
// the log says to name several.
func TestCluster(t *testing.T) {
	eachEngine(t, testCluster)
}

func testCluster(t *testing.T, name string) {
	makeCrossing(t)
	var nodes []*engine
	var urls []string
	argv := []string{"--cluster", "create"}
	for range 3 {
		e := startEngine(t, name, "--cluster-enabled", "yes", "--cluster-announce-ip", crossing,
			"--cluster-port", fmt.Sprint(newPort()))
		nodes, urls = append(nodes, e), append(urls, e.url())
		argv = append(argv, fmt.Sprintf("127.0.0.1:%d", e.port))
	}
	out, err := exec.Command("redis-cli", append(argv, "--cluster-yes")...).CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli %q: %v: %s", argv, err, out)
	}
	share := strings.Join(urls, " ")
	a, b := atCrossing(t, "mx1", share, nodes...), atCrossing(t, "mx2", share, nodes...)
	var networks []string
	for n := range 20 {
		networks = append(networks, fmt.Sprintf("198.18.1.%d/32", n+1))
		a.command("block", fmt.Sprintf("198.18.1.%d", n+1), "1h")
	}
	b.waitLogged("BLOCK network=198.18.1.20/32", 1)
	checkBlocks(t, b, networks...)
	for _, e := range nodes {
		if e.do("dbsize") == "0" {
			t.Error("one of the servers has no key")
		}
	}
	c := atCrossing(t, "mx3", share, nodes...)
	checkBlocks(t, c, networks...) // the state is on all servers
	if out := c.command("share", "-check"); !strings.Contains(out, "rights: all that are needed") {
		t.Errorf("share -check: %s", out)
	}
	wrong := newMachine(t, nodes[0], "mx4", quick)
	wrong.startShare()
	wrong.waitLogged("this is a server of a Cluster; write the URLs of several", 1)
}
