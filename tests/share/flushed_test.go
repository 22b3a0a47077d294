package share

import (
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// twoWithBlocks are two machines. The first has blocked 198.18.0.1 and .2, and the other has ended
// the block of .2: both know of it.
func twoWithBlocks(t *testing.T, name string) (e *engine, a, b *machine) {
	t.Helper()
	e, a, b = two(t, name, quick)
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
	eachEngine(t, testFlushed)
}

func testFlushed(t *testing.T, name string) {
	e, a, b := twoWithBlocks(t, name)
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
	c.waitLogged(back, 1) // all of the state was read
	if blocks := c.command("blocks"); strings.Contains(blocks, "198.18.0.2") {
		t.Errorf("a block that was ended is back:\n%s", blocks)
	}
	a.command("block", "198.18.0.3", "1h") // what comes after the repeated words
	b.waitLogged("BLOCK network=198.18.0.3/32", 1)
	if n := b.logged("share", "BLOCK network="); n != 3 {
		t.Errorf("%d lines of blocks; want none for what the machine knew", n)
	}
}

// An engine that loses everything while the machines' processes are down has their running blocks
// again when they come, and the ends of blocks: a machine that has heard of a block only follows.
func TestFlushedWhileDown(t *testing.T) {
	t.Parallel()
	e, a, b := twoWithBlocks(t, redis)
	a.command("block", "198.18.0.4", "1h")
	b.waitLogged("BLOCK network=198.18.0.4/32", 1)
	late := newMachine(t, e, "mx3", quick)
	late.startShare()
	late.waitLogged("BLOCK network=198.18.0.1/32", 1)
	late.waitLogged("BLOCK network=198.18.0.4/32", 1)
	late.share.KillAll()
	b.command("unblock", "198.18.0.4")
	a.waitLogged("UNBLOCK network=198.18.0.4/32", 1)
	for _, m := range []*machine{a, b} {
		m.share.KillAll()
	}
	e.do("flushall")
	a.command("block", "198.18.0.3", "1h")
	for _, m := range []*machine{a, b} {
		m.startShare()
	}
	lab.Eventually(t, "blocks and ends are in the engine", func() bool {
		return e.do("exists", "sendwrap:state:mx1:198.18.0.1/32",
			"sendwrap:state:mx1:198.18.0.3/32", "sendwrap:state:mx2:198.18.0.4/32") == "3"
	})
	late.startShare()
	late.waitLogged("BLOCK network=198.18.0.3/32", 1)
	late.waitLogged("UNBLOCK network=198.18.0.4/32", 1)
	checkBlocks(t, late, "198.18.0.1/32", "198.18.0.3/32")
}
