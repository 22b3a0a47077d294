package room

import (
	"fmt"
	"net"
	"testing"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// lists is a configuration with two lists, one that is bad to be on and one that is good, which a
// nameserver has.
func lists(n *lab.Nameserver) string {
	return fmt.Sprintf("dnsbl key.bad.example*3 as=bad\ndnsbl key.good.example*-2 as=good\n"+
		"dnsbl_threshold 3\ndnsbl_welcome -2\nresolver %v\n", n.Addr)
}

func nameserver(t *testing.T) *lab.Nameserver {
	n := lab.NewNameserver(t)
	n.AddList(t, "key.bad.example", "1.0.9.127")
	n.AddList(t, "key.good.example", "2.0.9.127")
	return n
}

// Many clients of one address are asked about once. All are refused as soon as the answer is there.
func TestListedTogether(t *testing.T) {
	const many = 40
	n := nameserver(t)
	h := build(t, slow+lists(n))
	var all []*net.TCPConn
	for range many {
		all = append(all, h.guest("127.9.0.1"))
	}
	h.until("refused", func() bool { return h.logged("DNSBL ", " lists=bad:127.0.0.2*3 ") == many })
	for _, c := range all {
		expect(t, c, "554 5.7.1 ")
	}
	if asked := n.Asked("1.0.9.127.key.bad.example"); asked != 1 {
		t.Errorf("asked %d times; want once", asked)
	}
	h.guest("127.9.0.1")
	h.until("refused at once", func() bool { return h.logged("DNSBL ") == many+1 })
	if asked := n.Asked("1.0.9.127.key.bad.example"); asked != 1 {
		t.Errorf("asked %d times; want once", asked)
	}
}

// A welcome client is served while one that came before it still waits.
func TestWelcomeInRoom(t *testing.T) {
	n := nameserver(t)
	h := build(t, slow+lists(n))
	h.begin()
	first := h.guest("127.9.0.3")
	h.until("waits", func() bool { return h.countWaiting() == 1 })
	second := h.guest("127.9.0.2")
	h.until("served", func() bool { return h.logged("DNSWL client=[127.9.0.2]") == 1 })
	expect(t, second, "220 ready")
	if h.countWaiting() != 1 {
		t.Error("the other does not wait any more")
	}
	first.Close()
	h.until("gone", func() bool { return h.logged("HANGUP ") == 1 })
}

// One that has spoken before the answer comes is not welcome.
func TestWelcomeButSpoke(t *testing.T) {
	n := nameserver(t)
	h := build(t, slow+lists(n))
	c := h.guest("127.9.0.2")
	n.Hold("")
	h.until("asked", func() bool { return n.Asked("2.0.9.127.key.good.example") > 0 })
	speaks(t, c)
	h.until("refused", func() bool { return h.logged("PREGREET ") == 1 })
	expect(t, c, "554 5.5.1 ")
}

func (h *house) asksNothing() bool {
	_, asked := h.door.UntilDNS()
	return !asked
}

func speaks(t *testing.T, c *net.TCPConn) {
	t.Helper()
	if _, err := c.Write([]byte("EHLO bot\r\n")); err != nil {
		t.Fatal(err)
	}
}

// A resolver that is dead delays nobody and refuses nobody; nothing is left of what was asked.
func TestDeadResolverInRoom(t *testing.T) {
	const many = 300
	n := nameserver(t)
	n.Hold("")
	h := build(t, "greet_delay 1s stress=1s\nspawn_rate 10000\nmax_sessions 1000\n"+lists(n))
	h.begin()
	h.guests(many)
	h.until("all passed", func() bool { return h.logged("PASS ") == many })
	if n := h.logged("score="); n > 0 {
		t.Errorf("%d have a score", n)
	}
	if n := h.logged("list "); n > 0 {
		t.Errorf("%d lines about lists; want none", n)
	}
	h.until("nothing is asked", h.asksNothing)
}

// Clients that leave, and a resolver that changes, while DNS is asked.
func TestChangesWhileAsked(t *testing.T) {
	dead, n := nameserver(t), nameserver(t)
	dead.Hold("")
	h := build(t, slow+lists(dead))
	h.begin()
	leaves := h.guest("127.9.0.1")
	h.guest("127.9.0.1")
	h.until("asked", func() bool { return dead.Asked("1.0.9.127.key.bad.example") > 0 })
	leaves.Close()
	h.until("gone", func() bool { return h.logged("HANGUP ") == 1 })
	h.reread(slow + lists(n))
	h.guest("127.9.0.2")
	h.until("the other resolver is asked", func() bool { return h.logged("DNSWL ") == 1 })
	h.until("what the first was asked has ended", h.asksNothing)
	if h.countWaiting() != 1 {
		t.Errorf("%d wait; want the one that nobody has answered for", h.countWaiting())
	}
}

// A name may have a greet delay of its own, which holds when the name is known.
func TestDelayOfName(t *testing.T) {
	n := lab.NewNameserver(t, "3.0.9.127.in-addr.arpa. 300 IN PTR mail.example.org.",
		"mail.example.org. 300 IN A 127.9.0.3")
	h := build(t, fmt.Sprintf("%sresolver %v\nclient mail.example.org greet_delay=0s\n",
		slow, n.Addr))
	h.begin()
	first := h.guest("127.9.0.4")
	c := h.guest("127.9.0.3")
	h.until("served", func() bool {
		return h.logged("PASS client=[127.9.0.3]", " name=mail.example.org") == 1
	})
	expect(t, c, "220 ready")
	if h.countWaiting() != 1 {
		t.Error("the other does not wait any more")
	}
	first.Close()
}

// A name that is allowed need not wait, one that is denied is refused as soon as it is known, and
// one that its addresses do not confirm is none.
func TestRulesOfNames(t *testing.T) {
	n := lab.NewNameserver(t)
	for i, name := range []string{"a.good.example", "b.bad.example", "c.good.example"} {
		n.Add(t, fmt.Sprintf("%d.0.9.127.in-addr.arpa. 300 IN PTR %s.", i+1, name),
			fmt.Sprintf("%s. 300 IN A 127.9.0.%d", name, []int{1, 2, 99}[i]))
	}
	h := build(t, fmt.Sprintf("%sresolver %v\nallow .good.example\ndeny .bad.example\n",
		slow, n.Addr))
	h.begin()
	for i := range 3 {
		h.guest(fmt.Sprintf("127.9.0.%d", i+1))
	}
	h.until("both", func() bool {
		return h.logged("ALLOWED client=[127.9.0.1]", " name=a.good.example") == 1 &&
			h.logged("DENIED client=[127.9.0.2]", " name=b.bad.example") == 1
	})
	h.until("nothing is asked", h.asksNothing)
	if h.countWaiting() != 1 || len(h.said()) != 2 {
		t.Errorf("%d wait, log %q; want the third to wait", h.countWaiting(), h.lines)
	}
}

// What many lists have said about many clients at the same time is more than one operation on the
// ledger can change. Nothing of it is lost, nor is the ledger.
func TestManyAnswersAtOnce(t *testing.T) {
	const clients, lists = 40, 32
	n := lab.NewNameserver(t)
	conf := fmt.Sprintf("%sresolver %v\nclient_conns 0\n", slow, n.Addr)
	var zones []string
	for i := range lists {
		zone := fmt.Sprintf("list%d.example", i)
		n.AddList(t, zone)
		zones = append(zones, zone)
		conf += "dnsbl " + zone + "\n"
	}
	h := build(t, conf)
	h.guests(clients)
	h.until("all are asked about", func() bool {
		return h.countWaiting() == clients && h.asksNothing()
	})
	if n := h.logged("ledger"); n > 0 {
		t.Errorf("log: %q", h.lines)
	}
	all, err := h.door.Ledger.Lists(ledger.Now(), zones)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range all {
		if l.Asked != clients || l.Failed > 0 || !l.Tested {
			t.Errorf("%s: %+v; want %d asked, none failed, and tested", zones[i], l, clients)
		}
	}
}
