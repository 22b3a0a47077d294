package room

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
)

// A list that lies to many clients at once is set aside once, with one line.
func TestListLiesToMany(t *testing.T) {
	const many = 40
	n := lab.NewNameserver(t)
	n.AddList(t, "key.good.example")
	for i := range many {
		n.Add(t, fmt.Sprintf("%d.0.9.127.key.bad.example. 300 IN A 127.255.255.254", i+1))
	}
	h := build(t, "greet_delay 10s stress=10s\nspawn_rate 10000\n"+lists(n))
	h.begin()
	h.guests(many)
	h.until("all pass", func() bool { return h.logged("PASS ") == many })
	if got := h.logged("list bad " + dnsbl.Meaning(dnsbl.PublicResolver)); got != 1 {
		t.Errorf("%d lines about the list; want one", got)
	}
}

// The poller reports the answers of another resolver, too, though it may have the descriptor of the
// first.
func TestResolverChangesWatched(t *testing.T) {
	first, second := nameserver(t), nameserver(t)
	h := build(t, slow+lists(first))
	h.guest("127.9.0.3")
	h.until("asked", func() bool { return first.Asked("3.0.9.127.key.bad.example") > 0 })
	second.Hold("")
	h.reread(slow + lists(second))
	h.guest("127.9.0.2")
	h.until("the other is asked", func() bool {
		return second.Asked("2.0.9.127.key.good.example") > 0
	})
	fd, _ := h.door.DNSDescriptor()
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(h.poller.fd, unix.EPOLL_CTL_ADD, fd, &event); err != unix.EEXIST {
		t.Errorf("the poller does not watch descriptor %d: %v", fd, err)
	}
}

// The program that takes the place of another asks about the clients that the first has asked
// about, and knows what that one has heard.
func TestAsksAfterHandover(t *testing.T) {
	n := nameserver(t)
	n.Hold("1.0.9.127.key.bad.example")
	h := build(t, slow+lists(n))
	listed := h.guest("127.9.0.1")
	h.until("asked", func() bool { return n.Asked("1.0.9.127.key.bad.example") > 0 })
	n.Release()
	h.takeOver()
	h.until("refused", func() bool { return h.logged("DNSBL ", " lists=bad:127.0.0.2*3 ") == 1 })
	expect(t, listed, "554 5.7.1 ")
}

// A client whose delay has changed when its name was known is due no later than that delay says,
// whoever has come since.
func TestDelayOfMoved(t *testing.T) {
	h := build(t, slow)
	var all []*client
	for _, arrived := range []time.Duration{5, 6, 1, 5, 7, 0} {
		c := &client{arrived: arrived * time.Second}
		h.delayFor(c, time.Minute)
		if all = append(all, c); c.due != c.arrived+time.Minute {
			t.Errorf("arrived %v, due %v", c.arrived, c.due)
		}
	}
	q := h.delay(time.Minute)
	all[1].leave()
	var last time.Duration
	n := 0
	for c := range q.all {
		if n++; c.due < last || c.prev == nil && q.first != c {
			t.Errorf("due %v behind %v", c.due, last)
		}
		last = c.due
	}
	if n != len(all)-1 || q.len != n || q.last != all[4] || q.first != all[5] {
		t.Errorf("%d of %d clients", n, q.len)
	}
	delete(h.delays, time.Minute)
}

// Other lists are asked about clients that wait, though the former ones have not answered yet, and
// a list that was set aside is tested again.
func TestOtherListsWhileAsked(t *testing.T) {
	n := nameserver(t)
	n.AddList(t, "other.example", "1.0.9.127")
	n.AddList(t, "mended.example", "2.0.9.127")
	n.Hold("1.0.9.127.key.bad.example")
	h := build(t, slow+lists(n))
	h.begin()
	h.guest("127.9.0.1")
	h.until("asked", func() bool { return n.Asked("1.0.9.127.key.bad.example") > 0 })
	err := h.door.Ledger.Run(func(tx *ledger.Tx) {
		tx.SetListAside("mended.example", "refused", time.Hour)
	})
	if err != nil {
		t.Fatal(err)
	}
	h.reread(slow + "resolver " + n.Addr.String() + "\n" +
		"dnsbl other.example\ndnsbl mended.example\ndnsbl_threshold 1\n")
	h.until("refused", func() bool { return h.logged("DNSBL ") == 1 })
	h.guest("127.9.0.2")
	h.until("the other, too", func() bool { return h.logged("DNSBL ") == 2 })
	if n := h.logged("list mended.example works again, and counts"); n != 1 {
		t.Errorf("%d lines about the list that is back", n)
	}
}
