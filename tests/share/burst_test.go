package share

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fill runs a loop in the engine: from first to last, with the time in ms and the network of each
// number.
func (e *engine) fill(first, last int, command string) {
	e.t.Helper()
	const part = 20_000 // meanwhile the engine does nothing else
	for ; first <= last; first += part {
		e.do("eval", `local t = redis.call("TIME")
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for n = `+fmt.Sprint(first)+", "+fmt.Sprint(min(last, first+part-1))+` do
	local at, net = string.format("%d", now),
		string.format("198.%d.%d.%d/32", 18 + n / 65536, n / 256 % 256, n % 256)
	local till = string.format("%d", now + 86400000)
	`+command+`
end`, "0")
	}
}

// A burst of as many events as the stream keeps arrives as a whole, each once, and the word that
// comes after it. The stream keeps no more.
func TestBurst(t *testing.T) {
	t.Parallel()
	e, a, b := two(t, redis, quick)
	const events = 100_000
	const add = `redis.call("XADD", "sendwrap:{events}", "*", "e",
		"1 rcpts "..net.." "..at.." 0 mx9 "..n.." 1 0 -")`
	e.fill(1, events, add)
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	for _, other := range b.sharing().Machines {
		if other.Name == "mx9" && other.Applied != events || other.Refused > 0 {
			t.Errorf("of %s %d events were applied and %d refused; want %d and none", other.Name,
				other.Applied, other.Refused, events)
		}
	}
	e.fill(events+1, events+1000, add)
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	const node = 100 // events that the engine drops at once
	if n, err := strconv.Atoi(e.do("xlen", "sendwrap:{events}")); err != nil || n > events+node {
		t.Errorf("the stream has %d events, %v; want %d at most", n, err, events+node)
	}
}

// BenchmarkMillionKnown has a machine read a state of a million known clients: for how long, and
// how much memory each of its two processes has had. And what these cost the engine.
func BenchmarkMillionKnown(b *testing.B) {
	e := startEngine(b, redis)
	before := e.number("memory", "used_memory")
	const clients = 1_000_000
	e.fill(1, clients, `redis.call("SET", "sendwrap:known:"..net,
		"1 known "..net.." "..at.." "..till.." mx9 "..n.." 0 0 -", "PX", 86400000)`)
	perKey := float64(e.number("memory", "used_memory")-before) / clients
	for b.Loop() {
		m := newMachine(b, e, "mx1", quick)
		began := time.Now()
		m.startShare()
		m.waitLogged(back, 1)
		b.ReportMetric(time.Since(began).Seconds(), "s/read")
		b.ReportMetric(peak(b, m.share.PID()), "member-MB")
		b.ReportMetric(peak(b, m.courier()), "courier-MB")
		m.share.KillAll()
	}
	b.ReportMetric(perKey, "B/key")
}

// peak is the most memory that a process has had, in MB.
func peak(b testing.TB, pid int) (mb float64) {
	b.Helper()
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &mb); err != nil {
		b.Fatal(err)
	}
	return mb / 1024
}
