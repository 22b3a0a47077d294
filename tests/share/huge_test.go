package share

import (
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// Values so large that they have no place in memory are passed by, and the log says what to do.
// What else the stream has lost with them comes from the state. The memory is bounded all the time.
func TestHuge(t *testing.T) {
	t.Parallel()
	e, a, b := two(t, redis, quick)
	a.command("block", "198.18.0.3", "1h")
	b.waitLogged("BLOCK network=198.18.0.3/32", 1) // both read the stream
	member, courier := b.share.PID(), b.courier()
	huge := strings.Repeat("x", 64<<20)
	for n, words := range [][]string{
		{"xadd", "sendwrap:{events}", "*", "e"}, // the last entry is one, too
		{"xadd", "sendwrap:{events}", "maxlen", "1", "*", "e"},
		{"hset", "sendwrap:{here}", "mx2"},
	} {
		e.doWith(huge, words...)
		b.waitLogged("see whose machine writes large values or keys there", n+1)
		b.waitLogged(back, n+2)
	}
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	e.fill(1, 50, `redis.call("XADD", "sendwrap:{events}", "*", "e", string.rep("x", 2^20))`)
	e.doWith(huge, "set", "sendwrap:state:mx9:198.18.0.9/32")
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	lab.Eventually(t, "the refused values are counted", func() bool { return refused(b) >= 3 })
	checkBlocks(t, b, "198.18.0.1/32", "198.18.0.2/32", "198.18.0.3/32")
	if b.courier() != courier {
		t.Error("the courier has ended")
	}
	const most = 50 // MB, of the 64 that packaging/sendwrap-share.service allows both
	mb := peak(t, member) + peak(t, courier)
	t.Logf("both processes have had %.0f MB", mb)
	if mb > most {
		t.Errorf("both processes have had %.0f MB; want %d at most", mb, most)
	}
}
