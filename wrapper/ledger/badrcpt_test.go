package ledger

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"
)

// badRcptsRole has that number of bad recipients and prints the ledger's count after each: PATH,
// NUMBER.
func badRcptsRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	n, _ := strconv.Atoi(args[1])
	fmt.Println("ready")
	waitForLine()
	for range n {
		total := 0
		if err := untilFree(func() error {
			return l.Do(Now(), func(t *Tx) { total = t.BadRcpt(networkN(1), 24*time.Hour).Bad })
		}); err != nil {
			return err
		}
		fmt.Println(total)
	}
	return nil
}

// guessTogether has several processes with several bad recipients each, all at once, and says how
// often each count was returned.
func guessTogether(t *testing.T, l *Ledger, processes, each int) map[int]int {
	t.Helper()
	var all []*child
	for range processes {
		all = append(all, start(t, "bad", ledgerPath(t, l), fmt.Sprint(each)))
	}
	for _, c := range all {
		c.line(t)
	}
	for _, c := range all {
		c.tell(t, "go")
	}
	counts := map[int]int{}
	for _, c := range all {
		for range each {
			n, err := strconv.Atoi(c.line(t))
			if err != nil {
				t.Fatal(err)
			}
			counts[n]++
		}
		if err := c.end(); err != nil {
			t.Fatal(err)
		}
	}
	return counts
}

// P processes with N bad recipients each are P×N, and each process gets other numbers.
func TestExactBadRcpts(t *testing.T) {
	const processes, each = 8, 31
	l := newLedger(t, MinClients)
	counts := guessTogether(t, l, processes, each)
	for n := 1; n <= processes*each; n++ {
		if counts[n] != 1 {
			t.Errorf("%d have number %d; want one", counts[n], n)
		}
	}
	a := from(hostN(1))
	a.Limits.RcptsPer = 24 * time.Hour
	if s := look(t, l, a); s.Rcpts.Bad != processes*each || s.Arrivals != 0 || s.Strikes != 0 {
		t.Errorf("%+v; want %d bad recipients and nothing else", s, processes*each)
	}
	mustAudit(t, l)
}

// More than a cell can hold are at least as many as any limit.
func TestExactBadRcptsOverflow(t *testing.T) {
	const processes, each = 4, 300
	l := newLedger(t, MinClients)
	for n, times := range guessTogether(t, l, processes, each) {
		if n > processes*each || n < math.MaxUint8 && times != 1 {
			t.Errorf("%d have number %d", times, n)
		}
	}
	must(t, l, func(tx *Tx) {
		if n := tx.BadRcpt(networkN(1), 24*time.Hour).Bad; n < math.MaxUint8 {
			t.Errorf("after %d bad recipients the next is number %d; want at least %d",
				processes*each, n, math.MaxUint8)
		}
	})
}

// However bad recipients are spread over time, none within the time is left out, and none counts
// for more than a sixteenth too long. Those of other networks do not count.
func TestExactBadWindow(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		l := newLedger(t, MinClients)
		now, ms := Now(), int64(1000+rnd.IntN(3_600_000))
		per := time.Duration(ms) * time.Millisecond
		var all []Moment
		within := func(ms int64) (n int) {
			for _, at := range all {
				if (now.Boot - at.Boot).Milliseconds() < ms {
					n++
				}
			}
			return n
		}
		for range 300 {
			switch rnd.IntN(10) {
			case 0:
				now = now.After(time.Duration(rnd.Int64N(2*ms)) * time.Millisecond)
			case 1, 2, 3:
				now = now.After(time.Duration(rnd.Int64N(ms/16+2)) * time.Millisecond)
			}
			all = append(all, now)
			mustAt(t, l, now, func(tx *Tx) {
				tx.BadRcpt(networkN(2), per)
				n := tx.BadRcpt(networkN(1), per).Bad
				if least, most := within(ms),
					within(ms+ms/steps+2*steps); n < min(least, math.MaxUint8) || n > most {
					t.Fatalf("%d bad recipients within %v; there are %d, and %d with a "+
						"sixteenth more", n, per, least, most)
				}
				a := from(hostN(1))
				if a.Limits.RcptsPer = per; tx.Look(a).Rcpts.Bad != n {
					t.Fatalf("the next who looks finds %d bad recipients; want %d",
						tx.Look(a).Rcpts.Bad, n)
				}
			})
		}
	}
}

// Asking for another time does not clear the count. Without a time there is no count.
func TestExactBadRcptsOfTwoLengths(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	a := from(hostN(1))
	for n := range 20 {
		now = now.After(time.Minute)
		per := time.Hour
		if n%2 == 0 {
			per = 2 * time.Minute
		}
		mustAt(t, l, now, func(tx *Tx) {
			if got := tx.BadRcpt(a.Network, per).Bad; n > 0 && got != n+1 {
				t.Errorf("%d bad recipients within %v; want %d", got, per, n+1)
			}
			if s := tx.Look(a); s.Rcpts.Bad != 0 {
				t.Errorf("%d bad recipients for one who does not ask", s.Rcpts.Bad)
			}
		})
	}
}

// A time longer than a day counts as a day, zero as a millisecond.
func TestExactBadRcptsWithinAnyTime(t *testing.T) {
	for _, tt := range []struct {
		per, later time.Duration
		want       int
	}{
		{30 * 24 * time.Hour, 24*time.Hour - time.Millisecond, 2},
		{30 * 24 * time.Hour, 26 * time.Hour, 1}, {math.MaxInt64, 23 * time.Hour, 2},
		{0, 0, 2}, {-1, 0, 2}, {time.Microsecond, 0, 2}, {0, time.Second, 1},
		{math.MinInt64, time.Second, 1},
	} {
		l := newLedger(t, MinClients)
		now := Now()
		mustAt(t, l, now, func(tx *Tx) { tx.BadRcpt(networkN(1), tt.per) })
		mustAt(t, l, now.After(tt.later), func(tx *Tx) {
			if n := tx.BadRcpt(networkN(1), tt.per).Bad; n != tt.want {
				t.Errorf("%v later, %d bad recipients within %v; want %d", tt.later, n, tt.per,
					tt.want)
			}
		})
	}
}

// Look changes nothing.
func TestExactBadRcptsLookedAt(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	mustAt(t, l, now, func(tx *Tx) { tx.BadRcpt(networkN(1), time.Hour) })
	before := content(l)
	a := from(hostN(1))
	for _, per := range []time.Duration{time.Second, time.Hour, 24 * time.Hour} {
		a.Limits.RcptsPer = per
		mustAt(t, l, now.After(40*time.Minute), func(tx *Tx) { tx.Look(a) })
		if is := difference(before, content(l)); is != "nothing" {
			t.Errorf("looked at with %v: %s", per, is)
		}
	}
}

// A bad recipient makes its network's record important, even if the record is old.
func TestBoundedWithBadRcpts(t *testing.T) {
	l := newLedger(t, MinClients)
	now := Now()
	mustAt(t, l, now, func(tx *Tx) { tx.Remember(networkN(1), time.Minute) })
	now = now.After(40 * 24 * time.Hour)
	rank := func() (rank int) {
		mustAt(t, l, now, func(tx *Tx) {
			rank = tx.importance(l.record(l.find(keyOf(networkN(1))))).rank
		})
		return rank
	}
	if is := rank(); is != expired {
		t.Fatalf("after 40 days of nothing it ranks %d", is)
	}
	mustAt(t, l, now, func(tx *Tx) { tx.BadRcpt(networkN(1), 24*time.Hour) })
	now = now.After(24*time.Hour - time.Millisecond)
	if is := rank(); is != history {
		t.Errorf("a bad recipient a day ago, and it ranks %d; want %d", is, history)
	}
}

// After an unblock the next bad recipient is the first.
func TestUnblockForgetsBadRcpts(t *testing.T) {
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		for range 10 {
			tx.BadRcpt(networkN(1), time.Hour)
		}
		tx.Block(networkN(1), time.Hour, "guard", Penalty{})
	})
	if _, err := l.Unblock(Now(), networkN(1)); err != nil {
		t.Fatal(err)
	}
	must(t, l, func(tx *Tx) {
		if n := tx.BadRcpt(networkN(1), time.Hour).Bad; n != 1 {
			t.Errorf("after the block was ended a bad recipient is number %d; want 1", n)
		}
	})
}
