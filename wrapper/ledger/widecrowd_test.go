package ledger

import (
	"fmt"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// atGate is one of many processes that do work at once, when the gate opens, and stay if it counts
// them: LEDGER, GATE, NUMBER. It says whether it did.
func atGate(args []string, work func(t *Tx, number int) (counted bool)) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	gate, err := unix.Open(args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(args[2], &n); err != nil {
		return err
	}
	said := "no"
	fmt.Println("ready")
	if err := unix.Flock(gate, unix.LOCK_SH); err != nil {
		return err
	}
	err = untilFree(func() error {
		return l.Do(Now(), func(t *Tx) {
			if work(t, n) {
				said = "yes"
			}
		})
	})
	fmt.Println(said)
	waitForLine()
	return err
}

// wideRole arrives in a network of its own, and is served if the wide network has less than its
// share.
func wideRole(args []string) error {
	self := Self()
	return atGate(args, func(t *Tx, n int) bool {
		a := within(wideA, n)
		a.Limits = Limits{Serving: 1000, Waiting: 1000, Scarce: 1}
		if t.Look(a).Wide.Served >= wideShare {
			return false
		}
		s, _ := t.Enter(a, self)
		t.Serve(s)
		return true
	})
}

const wideShare = 10

// Of two hundred networks in a wide one that come at once as many are served as its share allows,
// and when they have gone as many again.
func TestExactWideShare(t *testing.T) {
	program := plainProgram(t)
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) { // places are scarce
		for n := range wideShare {
			s, _ := tx.Enter(from(hostN(n)), Self())
			tx.Serve(s)
			tx.checkpoint()
		}
	})
	for range 2 {
		said := crowdOf(t, program, ledgerPath(t, l), 200, "wide")
		if said["yes"] != wideShare {
			t.Errorf("%v; want %d that are served", said, wideShare)
		}
	}
	mustAudit(t, l)
}

// wideLimitRole arrives from a host of its own in two /24 of one /16, if the limits allow it.
func wideLimitRole(args []string) error {
	self := Self()
	return atGate(args, func(t *Tx, n int) bool {
		a := limited(netip.AddrFrom4([4]byte{10, 1, byte(n % 2), byte(n / 2)}), wideConns, 0)
		a.WideLimits[1].Conns, a.WideLimits[1].Rate = wideConns*3/2, wideRate
		c := t.Look(a).WideCounts
		if c[0].Conns >= wideConns || c[1].Conns >= wideConns*3/2 || c[1].Arrivals >= wideRate {
			return false
		}
		t.Enter(a, self)
		return true
	})
}

const wideConns, wideRate = 10, 40

// Of two hundred clients that come at once from many hosts of one wide network, exactly as many get
// in as its limits allow: first by sessions, then, when these have gone, as many again until the
// rate is used up. No refused client counts.
func TestExactWideLimits(t *testing.T) {
	program := plainProgram(t)
	l := newLedger(t, MinClients)
	for _, want := range []int{15, 15, 10, 0} {
		said := crowdOf(t, program, ledgerPath(t, l), 200, "widelimits")
		if said["yes"] != want {
			t.Errorf("%v; want %d", said, want)
		}
	}
	must(t, l, func(tx *Tx) { tx.Totals() })
	mustAudit(t, l)
}
