package room

import (
	"fmt"
	"os"
	"testing"

	"sendwrap/tests/lab"
)

// accessMap writes an access map, and returns the line of the configuration that names it.
func (h *house) accessMap(text string) string {
	h.t.Helper()
	if err := os.WriteFile(h.file("map"), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return "access " + h.file("map") + "\n"
}

// A client of an address that the map refuses reads the map's text at once; one whose name the map
// has waits until that is known, and then for as long as the map says.
func TestMapInRoom(t *testing.T) {
	n := lab.NewNameserver(t)
	for i, name := range []string{"mail.good.example.", "mail.bad.example."} {
		n.Add(t, fmt.Sprintf("%d.0.9.127.in-addr.arpa. 300 IN PTR %s", i+1, name),
			fmt.Sprintf("%s 300 IN A 127.9.0.%d", name, i+1))
	}
	h := build(t, "")
	conf := fmt.Sprintf("%sresolver %v\n", slow, n.Addr)
	h.reread(conf + h.accessMap("Connect:127.8 ERROR:5.7.1:550 no\nGreetPause:good.example 0\n"+
		"Connect:127.9 REJECT\nConnect:good.example OK\nbad.example 450 later\n"+
		"Connect:[127.7.0] 554 no name\n"))
	h.begin()
	waits := h.guest("127.6.0.1")
	for from, says := range map[string]string{
		"127.9.0.1": "220 ready", "127.9.0.2": "450 ", "127.9.0.3": "554 5.7.1 ",
		"127.7.0.1": "554 ",
	} {
		c := h.guest(from)
		h.until(from, func() bool { return h.logged("client=["+from+"]") > 0 })
		expect(t, c, says)
	}
	n.Hold("")
	c := h.guest("127.8.0.1")
	h.until("refused", func() bool { return h.logged("DENIED client=[127.8.0.1]") > 0 })
	expect(t, c, "550 5.7.1 no")
	h.until("nothing but the first waits", func() bool { return h.countWaiting() == 1 })
	for from, line := range map[string]string{
		"127.9.0.1": "PASS ", "127.9.0.2": "DENIED ", "127.9.0.3": "DENIED ",
		"127.7.0.1": "DENIED ",
	} {
		if h.logged(line, "client=["+from+"]") != 1 {
			t.Errorf("%s: %q", from, h.lines)
		}
	}
	waits.Close()
}

// A new map holds for clients that wait, whether it refuses their address, or says how long those
// of their name wait. One whose name may beat its address is not refused for that before it is
// known.
func TestMapReload(t *testing.T) {
	n := lab.NewNameserver(t, "2.0.9.127.in-addr.arpa. 300 IN PTR mail.good.example.",
		"mail.good.example. 300 IN A 127.9.0.2")
	h := build(t, "")
	conf := fmt.Sprintf("%sclient_conns 0\nclient 127.7.0.0/16 greet_delay=0s\nresolver %v\n",
		slow, n.Addr)
	h.reread(conf + h.accessMap(""))
	h.begin()
	h.noTurns()
	denied, inTurn := h.guest("127.9.0.1"), h.guest("127.7.0.1")
	other := h.guest("127.6.0.1")
	h.until("all wait", func() bool { return h.held == 3 && h.turns.len == 1 })
	h.reread(conf + h.accessMap("Connect:127.9 REJECT\n127.7.0.1 REJECT\n"))
	h.until("both are refused", func() bool { return h.logged("DENIED ", "/map:") == 2 })
	expect(t, denied, "554 5.7.1 ")
	expect(t, inTurn, "554 5.7.1 ")
	h.until("all are looked at", func() bool { return h.scan.left == 0 })

	h.reread(conf + h.accessMap(""))
	h.nextTurns()
	n.Hold("")
	named, unnamed := h.guest("127.9.0.2"), h.guest("127.9.0.3")
	h.until("three wait", func() bool { return h.countWaiting() == 3 })
	h.reread(conf + h.accessMap("Connect:127.9 REJECT\nConnect:good.example OK\n"+
		"GreetPause:good.example 0\n"))
	h.until("both are asked about", func() bool {
		return n.Asked("2.0.9.127.in-addr.arpa") > 0 && n.Asked("3.0.9.127.in-addr.arpa") > 0
	})
	h.until("all are looked at", func() bool { return h.scan.left == 0 })
	if h.countWaiting() != 3 {
		t.Errorf("%d wait; log %q", h.countWaiting(), h.lines)
	}
	n.Release()
	h.until("one is refused", func() bool { return h.logged("DENIED client=[127.9.0.3]") == 1 })
	expect(t, unnamed, "554 5.7.1 ")
	h.until("the other is served", func() bool {
		return h.logged("PASS client=[127.9.0.2]", " name=mail.good.example") == 1
	})
	expect(t, named, "220 ready")
	if h.countWaiting() != 1 {
		t.Errorf("%d wait", h.countWaiting())
	}
	other.Close()
}

// A map with a mistake, or without a file, keeps the configuration that holds.
func TestMapMistakesInRoom(t *testing.T) {
	h := build(t, "")
	named := h.accessMap("Connect:127.9 REJECT\n")
	h.reread(slow + named)
	held := h.door.Policy
	if err := os.Remove(h.file("map")); err != nil {
		t.Fatal(err)
	}
	h.reread(slow + named)
	if h.door.Policy != held || h.logged("map: no such file", "") == 0 {
		t.Errorf("another policy holds; log %q", h.lines)
	}
	c := h.guest("127.9.0.1")
	h.until("refused", func() bool { return h.logged("DENIED ", "/map:1") == 1 })
	expect(t, c, "554 5.7.1 ")
}
