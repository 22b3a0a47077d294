package ledger

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"testing"
	"time"
)

// scattered is the n-th of many networks all over the world, one in three of IPv6. Those of honest
// clients and those of the attacker are never the same.
func scattered(n int, honest bool) netip.Prefix {
	h := (uint64(n) + 1) * 0x9e3779b97f4a7c15
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	h ^= h >> 32
	if h &^= 1; honest {
		h |= 1
	}
	if n%3 > 0 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(h))
		return netip.PrefixFrom(netip.AddrFrom4(a), 32)
	}
	return slash64(1<<61 | h>>3&^1 | h&1)
}

// slash64 is an IPv6 network by the first half of its addresses.
func slash64(half uint64) netip.Prefix {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:], half)
	return netip.PrefixFrom(netip.AddrFrom16(a), 64)
}

// crowdedV4 is the n-th host of one /16. The attacker's hosts are not its neighbours'.
func crowdedV4(n int, honest bool) netip.Prefix {
	last := byte(n) << 1
	if honest {
		last++
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 7), last}), 32)
}

const documentation = 0x20010db8_0000_0000 // 2001:db8::/32

// origins are where an attacker may have its networks.
var origins = map[string]func(n int) netip.Prefix{
	"one 48": func(n int) netip.Prefix { return slash64(documentation | uint64(n%65536)) },
	"one 32": func(n int) netip.Prefix {
		return slash64(documentation | uint64(n%65536)<<16 | uint64(n/65536))
	},
	"one 29": func(n int) netip.Prefix {
		return slash64(documentation | uint64(n%8)<<32 | uint64(n/8%65536)<<16 | uint64(n/8/65536))
	},
	"one 16":     func(n int) netip.Prefix { return crowdedV4(n%32768, false) },
	"everywhere": func(n int) netip.Prefix { return scattered(n, false) },
}

// attacks are what an attacker has each of its networks do.
var attacks = map[string]func(tx *Tx, network netip.Prefix){
	"waiting":    visit,
	"early talk": func(tx *Tx, n netip.Prefix) { arrive(tx, n, func() { struck(tx, n, 1) }) },
	"three strikes": func(tx *Tx, n netip.Prefix) {
		arrive(tx, n, func() { struck(tx, n, 3) })
	},
	"wrong names": func(tx *Tx, n netip.Prefix) { // with Postfix the guard alone sees them
		for range 3 {
			tx.BadRcpt(n, time.Hour)
		}
		tx.Block(n, 0, "badrcpts", threeStrikes)
	},
}

// visit has a client of the network come, wait, pass, and leave.
func visit(tx *Tx, network netip.Prefix) {
	arrive(tx, network, func() { tx.Remember(network, 24*time.Hour) })
}

func arrive(tx *Tx, network netip.Prefix, do func()) {
	a := Arrival{Client: netip.AddrPortFrom(network.Addr(), 25), Network: network}
	a.Limits = Limits{Rate: 100, Per: time.Minute}
	s, _ := tx.Enter(a, nobody)
	do()
	tx.Leave(s)
}

func struck(tx *Tx, network netip.Prefix, times int) {
	for range times {
		tx.Strike(network, "pregreet", 1, threeStrikes)
	}
}

// each does the same with many networks, a thousand at a time, with a checkpoint after each.
func each(l *Ledger, now Moment, first, end int, network func(n int) netip.Prefix,
	do func(*Tx, netip.Prefix)) error {
	for n := first; n < end; {
		err := l.Do(now, func(tx *Tx) {
			for ; n < end && n%1000 < 999; n++ {
				do(tx, network(n))
				tx.checkpoint()
			}
			if n < end {
				do(tx, network(n))
				n++
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	floodStep = time.Second // of ledger time for so many networks
	floodPart = 10_000
	floodMost = 10_000 // the default of max_entries
)

// floodRole has an attacker's networks do what they can, and trims the blocks: LEDGER, CLIENTS,
// MOMENT (two numbers), ORIGIN, ATTACK, FIRST, END.
func floodRole(args []string) error {
	var numbers []int64
	for _, arg := range append(args[1:4:4], args[6:]...) {
		n, err := strconv.ParseInt(arg, 10, 64)
		if err != nil {
			return err
		}
		numbers = append(numbers, n)
	}
	l, _, err := Open(args[0], int(numbers[0]), ThisBoot())
	if err != nil {
		return err
	}
	now := Moment{Boot: time.Duration(numbers[1]), Wall: time.UnixMilli(numbers[2])}
	for first := int(numbers[3]); first < int(numbers[4]); first += floodPart {
		end := min(first+floodPart, int(numbers[4]))
		if err := each(l, now, first, end, origins[args[4]], attacks[args[5]]); err != nil {
			return err
		}
		if _, err := l.Trim(now, floodMost); err != nil {
			return err
		}
		now = now.After(floodStep)
	}
	return nil
}

// flood has networks attack, without the race detector, and returns when that is over.
func flood(t *testing.T, l *Ledger, now Moment, origin, attack string, first, end int) Moment {
	t.Helper()
	c := startAs(t, plainProgram(t), nil, nil, "flood", ledgerPath(t, l), fmt.Sprint(l.records()),
		fmt.Sprint(int64(now.Boot)), fmt.Sprint(now.Wall.UnixMilli()), origin, attack,
		fmt.Sprint(first), fmt.Sprint(end))
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	return now.After(time.Duration(end-first) * floodStep / floodPart)
}
