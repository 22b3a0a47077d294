package share

import (
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// twoWithBlocks are two machines. The first has blocked 198.18.0.1 and .2, and the other has ended
// the block of .2: both know of it.
func twoWithBlocks(t *testing.T) (e *engine, a, b *machine) {
	t.Helper()
	e, a, b = two(t, quick)
	a.command("block", "198.18.0.1", "1h")
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	b.command("unblock", "198.18.0.2")
	a.waitLogged("UNBLOCK network=198.18.0.2/32", 1)
	return e, a, b
}

// After a flush the engine gets the running blocks, and the ends of others, again: a machine that
// comes only then learns of both.
func TestFlushed(t *testing.T) {
	t.Parallel()
	e, a, b := twoWithBlocks(t)
	e.do("flushall")
	lab.Eventually(t, "the state is in the engine again", func() bool {
		return e.do("exists", "sendwrap:state:mx1:198.18.0.1/32",
			"sendwrap:state:mx2:198.18.0.2/32") == "2"
	})
	if got := e.do("exists", "sendwrap:state:mx1:198.18.0.2/32"); got != "0" {
		t.Error("a block that another machine has ended is in the engine again")
	}
	c := newMachine(t, e, "mx3", quick)
	c.startShare()
	c.waitLogged("BLOCK network=198.18.0.1/32", 1)
	if blocks := c.command("blocks"); strings.Contains(blocks, "198.18.0.2") {
		t.Errorf("a block that was ended is back:\n%s", blocks)
	}
	a.command("block", "198.18.0.3", "1h") // what comes after the repeated words
	b.waitLogged("BLOCK network=198.18.0.3/32", 1)
	if n := b.logged("share", "BLOCK network="); n != 3 {
		t.Errorf("%d lines of blocks; want none for what the machine knew", n)
	}
}

// An engine that loses everything while a machine's process is down has its running blocks again
// when that comes, and none that was ended.
func TestFlushedWhileDown(t *testing.T) {
	t.Parallel()
	e, a, b := twoWithBlocks(t)
	for _, m := range []*machine{a, b} {
		m.share.KillAll()
	}
	e.do("flushall")
	a.command("block", "198.18.0.3", "1h")
	a.startShare()
	lab.Eventually(t, "the blocks are in the engine", func() bool {
		return e.do("exists", "sendwrap:state:mx1:198.18.0.1/32",
			"sendwrap:state:mx1:198.18.0.3/32") == "2"
	})
	c := newMachine(t, e, "mx3", quick)
	c.startShare()
	c.waitLogged("BLOCK network=198.18.0.1/32", 1)
	c.waitLogged("BLOCK network=198.18.0.3/32", 1)
	checkBlocks(t, c, "198.18.0.1/32", "198.18.0.3/32")
}
