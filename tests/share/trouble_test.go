package share

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// two starts an engine and two machines that share.
func two(t *testing.T, name, conf string) (e *engine, a, b *machine) {
	t.Helper()
	e = startEngine(t, name)
	a, b = newMachine(t, e, "mx1", conf), newMachine(t, e, "mx2", conf)
	for _, m := range []*machine{a, b} {
		m.startShare()
		m.waitLogged("answers; this machine is", 1)
	}
	return e, a, b
}

const (
	away = "share: the engine is away"
	back = "answers; this machine is"
)

// An engine that is killed and starts again with nothing, or that is stopped for a while: one line
// when it goes, one when it is back, and then the others learn what happened meanwhile.
func TestEngineAway(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name       string
		leave, end func(*engine)
	}{
		{"killed", func(e *engine) { e.KillAll() }, func(e *engine) { e.start() }},
		{"stopped", func(e *engine) { e.signal(unix.SIGSTOP) },
			func(e *engine) { e.signal(unix.SIGCONT) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, a, b := two(t, redis, quick)
			tt.leave(e)
			a.waitLogged(away, 1)
			b.waitLogged(away, 1)
			if a.sharing().Connected {
				t.Error("status says that the engine answers")
			}
			a.command("block", "198.18.0.1", "1h")
			tt.end(e)
			b.waitLogged("BLOCK network=198.18.0.1/32", 1)
			checkAwayOnce(t, a, b)
		})
	}
}

// checkAwayOnce waits until the engine answers again, and checks that each machine's log has one
// line for its going, and one for its coming back, after that of the start.
func checkAwayOnce(t *testing.T, machines ...*machine) {
	t.Helper()
	for _, m := range machines {
		m.waitLogged(back, 2)
		if n, up := m.logged("share", away), m.logged("share", back); n != 1 || up != 2 {
			t.Errorf("%s: %d lines say that the engine is away, %d that it answers; want 1 and 2",
				m.name, n, up)
		}
	}
}

// An engine that takes nothing, because it is full or a replica, is away, though it answers: one
// line says why. What happened meanwhile arrives when it takes something again.
func TestEngineTakesNothing(t *testing.T) {
	eachEngine(t, testTakesNothing)
}

func testTakesNothing(t *testing.T, name string) {
	for _, tt := range []struct {
		name, says   string
		begins, ends []string
	}{
		{"full", "the engine is full; raise its maxmemory", []string{"config", "set", "maxmemory",
			"1"}, []string{"config", "set", "maxmemory", "0"}},
		{"replica", "this is a replica; name the primary", []string{"replicaof", "127.0.0.1", "1"},
			[]string{"replicaof", "no", "one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, a, b := two(t, name, quick)
			e.do(tt.begins...)
			a.command("block", "198.18.0.1", "1h")
			for _, m := range []*machine{a, b} {
				m.waitLogged(away, 1)
				m.waitLogged(tt.says, 1)
			}
			lab.Eventually(t, "both have tried again", func() bool {
				return e.rejected("hset") >= 4
			})
			checkBlocks(t, a, "198.18.0.1/32")
			checkBlocks(t, b)
			e.do(tt.ends...)
			b.waitLogged("BLOCK network=198.18.0.1/32", 1)
			checkAwayOnce(t, a, b)
		})
	}
}

// An engine that drops keys to make room for others ends no block, and has those of a machine again
// when that has read the state.
func TestEngineEvicts(t *testing.T) {
	t.Parallel()
	e, a, b := two(t, redis, quick)
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	state := func() string { return e.do("exists", "sendwrap:state:mx1:198.18.0.1/32") }
	if state() != "1" {
		t.Fatal("the state is not in the engine")
	}
	e.do("config", "set", "maxmemory-policy", "allkeys-random", "maxmemory", "3mb")
	filler := strings.Repeat("x", 100_000)
	for n := 0; state() == "1"; n++ {
		if n > 10_000 {
			t.Fatal("the engine drops nothing")
		}
		e.doWith(filler, "set", fmt.Sprint("filler", n))
	}
	e.do("config", "set", "maxmemory", "0")
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	checkBlocks(t, b, "198.18.0.1/32", "198.18.0.2/32")
	a.share.KillAll()
	a.startShare()
	lab.Eventually(t, "the engine has the block again", func() bool { return state() == "1" })
}

// A machine that is cut off for a minute goes on with what it knows, and so do the others without
// it. When the route is there again, each learns what has happened to the other.
func TestCutOff(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "nft")
	_, a, b := two(t, redis, quick)
	for _, m := range []*machine{a, b} {
		m.startRoom()
	}
	cut := time.Now()
	a.cut()
	a.command("block", "198.18.0.1", "1h")
	b.command("block", "198.18.0.2", "1h")
	a.waitLogged(away, 1)
	for _, m := range []*machine{a, b} {
		own := map[*machine]string{a: "198.18.0.1", b: "198.18.0.2"}[m]
		m.waitBlocked(own, true)
		checkBlocks(t, m, own+"/32")
	}
	time.Sleep(time.Until(cut.Add(time.Minute))) // no verdict: others run meanwhile
	a.nft("delete table ip cut")
	a.waitLogged("BLOCK network=198.18.0.2/32", 1)
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	checkAwayOnce(t, a)
	if n := b.logged("share", away); n != 0 {
		t.Errorf("the machine that was not cut off has %d lines of an engine that is away", n)
	}
}

// nft changes the machine's firewall.
func (m *machine) nft(commands string) {
	m.t.Helper()
	m.do(func() {
		if out, err := exec.Command("nft", commands).CombinedOutput(); err != nil {
			m.t.Fatalf("nft %s: %v: %s", commands, err, out)
		}
	})
}
