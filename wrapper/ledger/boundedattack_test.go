package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// attackRole has each of many addresses do what an attacker's may, ten a millisecond: LEDGER,
// ADDRESSES.
func attackRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	attackers, _ := strconv.Atoi(args[1])
	now, full := Now(), false
	attack := func(tx *Tx, n int) {
		a := from(netip.AddrFrom4([4]byte{byte(n>>24) + 100, byte(n >> 16), byte(n >> 8), byte(n)}))
		a.Limits = Limits{Rate: 10, Per: time.Minute}
		s, ok := tx.Enter(a, nobody)
		full = full || !ok
		switch n % 4 {
		case 0:
			tx.Strike(a.Network, "early", 1, threeStrikes)
		case 1:
			tx.Remember(a.Network, 24*time.Hour)
		case 2:
			tx.ClaimLookup(a.Client.Addr(), of, nobody)
		case 3:
			tx.KeepLookup(a.Client.Addr(), of, []byte("listed"), time.Hour)
			tx.CountList(strconv.Itoa(n%100)+".example", Listed, 200)
		}
		tx.Leave(s)
	}
	for n := 0; n < attackers; {
		err := l.Do(now.After(time.Duration(n)*100*time.Microsecond), func(tx *Tx) {
			for range 1000 { // many in one Do, each of them work done for itself
				attack(tx, n)
				tx.checkpoint()
				n++
			}
		})
		if err != nil {
			return err
		}
	}
	if full {
		return errors.New("no slot for one of them")
	}
	return nil
}

// Millions of addresses of an attacker cost neither disk nor memory, no block outside their crowd,
// and no live session.
func TestBoundedUnderAttack(t *testing.T) {
	attackers := 3_000_000 // ten take 13 s
	if testing.Short() {
		attackers = 1_000_000
	}
	l := newLedger(t, MinClients)
	now := Now()
	const blocks, sessions = 100, 50
	for n := range blocks {
		mustAt(t, l, now, func(tx *Tx) { tx.Block(honest(n), MaxBlock, "test", Penalty{}) })
	}
	for n := range sessions {
		mustAt(t, l, now, func(tx *Tx) { tx.Enter(from(hostN(blocks+n)), Self()) })
	}
	size, allocated := onDisk(t, l)
	if err := startAs(t, plainProgram(t), nil, nil, "attack", ledgerPath(t, l),
		fmt.Sprint(attackers)).end(); err != nil {
		t.Fatal(err)
	}
	must(t, l, func(tx *Tx) {
		for n := range blocks {
			if !tx.stands(honest(n)).Blocked {
				t.Errorf("the block of %v is lost", honest(n))
			}
		}
		for n := range sessions {
			if s := tx.Look(from(hostN(blocks + n))); s.Conns != 1 {
				t.Errorf("%v has %d sessions; want 1", hostN(blocks+n), s.Conns)
			}
		}
		kept := 0
		for i := range minLookups {
			if tx.lookup(i).State == Asked {
				kept++
			}
		}
		if kept == 0 {
			t.Error("no lookup is kept")
		}
		n := tx.Totals()
		if n.Clients != n.Capacity || n.Capacity != MinClients || n.Waiting+n.Serving != sessions {
			t.Errorf("%d clients of %d, %d waiting", n.Clients, n.Capacity, n.Waiting)
		}
	})
	const notes = 16 * page // that the file system makes when it writes the pages out
	if size1, allocated1 := onDisk(t, l); size1 != size || allocated1 > allocated+notes {
		t.Errorf("the file has grown from %d bytes (%d allocated) to %d (%d)", size, allocated,
			size1, allocated1)
	}
	mustAudit(t, l)
}
