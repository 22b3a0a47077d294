package share

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// courier is the process that speaks to the engine.
func (m *machine) courier() (pid int) {
	m.t.Helper()
	parent := fmt.Sprint(m.share.PID())
	all := lab.Processes(func(pid int) bool {
		stat := lab.ProcStat(pid)
		return len(stat) > 1 && stat[1] == parent
	})
	if len(all) != 1 {
		m.t.Fatalf("%s: the share process has the children %v; want the courier", m.name, all)
	}
	return all[0]
}

// What the stream loses before a machine has read it comes from the state: while the machine stands
// still, or if the stream begins again with earlier times than before, as after a failover.
func TestBehind(t *testing.T) {
	t.Parallel()
	e, a, b := two(t, redis, quick)
	const add = `redis.call("XADD", "sendwrap:{events}", "*", "e",
		"1 rcpts "..net.." "..at.." 0 mx9 "..n.." 1 0 -")`
	a.command("block", "198.18.0.3", "1h")
	b.waitLogged("BLOCK network=198.18.0.3/32", 1) // the stream has been read
	courier := b.courier()
	if err := unix.Kill(courier, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	e.fill(1, 300, add) // an answer that is under way has some of these
	a.command("block", "198.18.0.1", "1h")
	lab.Eventually(t, "the engine has the block", func() bool {
		return e.do("exists", "sendwrap:state:mx1:198.18.0.1/32") == "1"
	})
	e.fill(301, 800, add)
	e.do("xtrim", "sendwrap:{events}", "maxlen", "400")
	if err := unix.Kill(courier, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)

	before := refused(b)
	e.do("xadd", "sendwrap:{events}", "9999999999999-0", "e", "of the year 2286")
	lab.Eventually(t, "both have read that", func() bool {
		return refused(a) > 0 && refused(b) > before
	})
	e.do("del", "sendwrap:{events}")
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
}
