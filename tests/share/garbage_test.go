package share

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// A member that writes garbage is refused and counted, and nothing else happens: the words of
// others arrive as before.
func TestGarbage(t *testing.T) {
	t.Parallel()
	e, a, b := two(t, redis, quick+"share_limit 3/1h\n")
	now := time.Now().UnixMilli()
	event := func(format string, args ...any) string {
		return fmt.Sprintf("1 "+format, args...)
	}
	hour := now + time.Hour.Milliseconds()
	garbage := []string{
		"x", "\xff\x1b[2J\n2 block", strings.Repeat("A", 300_000),
		event("block 0.0.0.0/0 %d %d evil 1 0 0 -", now, hour),
		event("block ::/0 %d %d evil 2 0 0 -", now, hour),
		event("block 198.0.0.0/7 %d %d evil 3 0 0 -", now, hour),
		event("block 198.18.0.9/24 %d %d evil 4 0 0 -", now, hour),
		event("block 198.18.0.9/32 %d %d evil 5 0 0 -", now, now+1000*365*86400_000),
		event("block 198.18.0.9/32 %d %d evil 6 0 0 -", now+2*3600_000, now+3*3600_000),
		event("block 198.18.0.9/32 -1 9223372036854775807 evil 7 0 0 -"),
		event("block 198.18.0.9/32 %d %d e\x1bil 8 0 0 -", now, hour),
		event("block 198.18.0.9/32 %d %d %s 9 0 0 -", now, hour, strings.Repeat("n", 99)),
		event("block 198.18.0.9/32 %d %d evil 99999999999999999999999 0 0 -", now, hour),
		event("rcpts 198.18.0.9/32 %d 0 evil 10 256 0 -", now),
		event("grant 198.18.0.9/32 %d %d evil 11 0 0 -", now, hour),
		"2" + event("block 198.18.0.9/32 %d %d evil 12 0 0 -", now, hour)[1:],
		event("block 127.0.0.1/32 %d %d evil 13 0 0 -", now, hour), // its own, as is its wire
		event("block 10.0.0.0/8 %d %d evil 14 0 0 -", now, hour),
	}
	for i, text := range garbage {
		e.doWith(text, "xadd", "sendwrap:{events}", "*", "e")
		e.doWith(text, "set", fmt.Sprintf("sendwrap:state:evil:%d", i))
	}
	e.do("lpush", "sendwrap:state:evil:list", "no string")
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1) // what was written before is done with
	checkBlocks(t, b, "198.18.0.1/32")
	if n := refused(b); n != len(garbage) {
		t.Errorf("%d events are refused; want %d", n, len(garbage))
	}
	for _, other := range []string{"198.18.0.2", "198.18.0.3", "198.18.0.4"} {
		a.command("block", other, "1h") // the last is one too many
	}
	b.waitLogged("mx1 says what is refused: more blocks than share_limit", 1)
	checkBlocks(t, b, "198.18.0.1/32", "198.18.0.2/32", "198.18.0.3/32")

	// Another machine reads all of it in the state, where the list has no place.
	c := newMachine(t, e, "mx3", quick)
	c.startShare()
	c.waitLogged(back, 1)
	checkBlocks(t, c, "198.18.0.1/32", "198.18.0.2/32", "198.18.0.3/32", "198.18.0.4/32")
}

// refused counts all events that a machine has refused.
func refused(m *machine) (n int) {
	s := m.sharing()
	n = s.Refused
	for _, other := range s.Machines {
		n += other.Refused
	}
	return n
}

// checkBlocks wants the machine to have exactly these blocks.
func checkBlocks(t *testing.T, m *machine, networks ...string) {
	t.Helper()
	text := m.command("blocks")
	for _, network := range networks {
		if !strings.Contains(text, strings.TrimSuffix(network, "/32")) {
			t.Errorf("%s: no block of %s", m.name, network)
		}
	}
	if n := strings.Count(text, "/"); n != len(networks) {
		t.Errorf("%s: %d blocks; want %d:\n%s", m.name, n, len(networks), text)
	}
}
