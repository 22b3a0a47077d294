package share

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// At SIGHUP a machine goes on with another ledger, also while it waits for one that is held. Then
// that has what the machine has heard before, too.
func TestAnotherLedger(t *testing.T) {
	t.Parallel()
	_, a, b := two(t, redis, quick)
	a.command("block", "198.18.0.1", "1h")
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	held, err := os.Open(b.file("state/ledger"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	a.command("block", "198.18.0.2", "1h")
	b.waitLogged("state/ledger: ledger was held", 1)
	conf, err := os.ReadFile(b.file("conf"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("conf", strings.Replace(string(conf), "state/ledger ", "state/other ", 1))
	if err := b.share.Process.Signal(unix.SIGHUP); err != nil {
		t.Fatal(err)
	}
	b.waitLogged("BLOCK network=198.18.0.1/32", 2)
	b.waitLogged("BLOCK network=198.18.0.2/32", 1)
	checkBlocks(t, b, "198.18.0.1/32", "198.18.0.2/32")
}
