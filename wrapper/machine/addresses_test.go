package machine

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }

// An address of an interface is ours, and loopback in any case; a neighbor's is not. A change of
// addresses is noticed.
func TestIn(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	var a Addresses
	in := func(network string) string {
		addr, found := a.In(netip.MustParsePrefix(network))
		if !found {
			return ""
		}
		return addr.String()
	}
	for network, want := range map[string]string{
		"127.0.0.1/32": "127.0.0.1", "127.0.0.0/8": "127.0.0.1", "0.0.0.0/0": "127.0.0.1",
		"::1/128": "::1", "::/64": "::1",
		"127.0.0.2/32": "", "198.51.100.25/32": "", "2001:db8:25::/64": "", "64:ff9b::/96": "",
	} {
		if got := in(network); got != want {
			t.Errorf("%s holds %q; want %q", network, got, want)
		}
	}
	if err := lab.IP("addr add 198.51.100.25/24 dev lo",
		"addr add 2001:db8:25::25/64 dev lo nodad"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "the new addresses are noticed", func() bool {
		return in("198.51.100.0/24") == "198.51.100.25" &&
			in("2001:db8:25::/64") == "2001:db8:25::25"
	})
	if in("198.51.100.24/32") != "" || in("2001:db8:25:1::/64") != "" {
		t.Error("a neighbour is taken for ourselves")
	}
	if err := lab.IP("addr del 198.51.100.25/24 dev lo"); err != nil {
		t.Fatal(err)
	}
	lab.Eventually(t, "that one has gone is noticed",
		func() bool { return in("198.51.100.25/32") == "" })
}

// The kernel's answer is read as package net reads it: several addresses of both kinds on several
// interfaces, and on links to a peer our own address, not the peer's.
func TestAsPackageNet(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	if err := lab.IP("link add one type veth peer name two",
		// No fe80:: addresses: the kernel would add them at some later time.
		"link set one addrgenmode none", "link set two addrgenmode none",
		"link set one up", "link set two up",
		"addr add 192.0.2.1/24 dev one", "addr add 192.0.2.2/24 dev one",
		"addr add 192.0.2.65/26 brd + dev two", "addr add 192.0.2.9/32 scope host dev lo",
		"addr add 198.51.100.1 peer 198.51.100.2 dev one",
		"addr add 198.51.100.5/32 peer 203.0.113.0/24 dev two",
		"addr add 2001:db8:1::1/64 dev one nodad", "addr add 2001:db8:2::1/128 dev two nodad",
		"addr add 2001:db8:3::1 peer 2001:db8:3::2 dev one nodad"); err != nil {
		t.Fatal(err)
	}
	var many []string // more than the kernel sends at once
	for n := range 250 {
		many = append(many, fmt.Sprintf("addr add 10.9.8.%d/32 dev two", n))
	}
	if err := lab.IP(many...); err != nil {
		t.Fatal(err)
	}
	defer lab.IP("link del one")
	defer lab.IP("addr del 192.0.2.9/32 dev lo")
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	var want []netip.Addr
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.(*net.IPNet).IP)
		if !ok {
			t.Fatalf("package net has %v", a)
		}
		want = append(want, addr.Unmap())
	}
	got := interfaces(nil)
	slices.SortFunc(want, netip.Addr.Compare)
	slices.SortFunc(got, netip.Addr.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("%v; package net has %v", got, want)
	}
	for _, own := range []string{"192.0.2.1", "192.0.2.65", "198.51.100.1", "198.51.100.5",
		"2001:db8:1::1", "2001:db8:3::1"} {
		if !slices.Contains(got, netip.MustParseAddr(own)) {
			t.Errorf("%s is missing in %v", own, got)
		}
	}
	for _, peer := range []string{"198.51.100.2", "203.0.113.0", "2001:db8:3::2"} {
		if slices.Contains(got, netip.MustParseAddr(peer)) {
			t.Errorf("%s of a peer is in %v", peer, got)
		}
	}
}

// However often In is called, the kernel is asked once a second.
func TestAskedOnceASecond(t *testing.T) {
	var a Addresses
	stranger := netip.MustParsePrefix("203.0.113.9/32")
	for range 1000 {
		a.In(stranger)
		before := a.read
		a.In(stranger)
		if a.read != before && a.read.Sub(before) < readEvery {
			t.Fatalf("asked after %v", a.read.Sub(before))
		}
	}
	if time.Since(a.read) > lab.Patience {
		t.Error("not asked")
	}
}

// What is not as the kernel writes it ends the reading, and no more: messages and attributes that
// are cut off, and lengths that point anywhere.
func TestDamagedMessages(t *testing.T) {
	whole := binary.NativeEndian.AppendUint32(nil, 32)
	whole = binary.NativeEndian.AppendUint16(whole, unix.RTM_NEWADDR)
	whole = append(whole, make([]byte, 18)...) // the rest of both heads
	whole = binary.NativeEndian.AppendUint16(whole, 8)
	whole = binary.NativeEndian.AppendUint16(whole, unix.IFA_LOCAL)
	whole = append(whole, 192, 0, 2, 1)
	want := netip.MustParseAddr("192.0.2.1")
	if got, more := appendMessages(nil, whole); !more || !slices.Equal(got, []netip.Addr{want}) {
		t.Fatalf("%v, %v; want %v", got, more, want)
	}
	for n := range whole {
		if got, _ := appendMessages(nil, whole[:n]); len(got) > 0 {
			t.Errorf("of %d bytes: %v", n, got)
		}
		for _, value := range []byte{0, 1, 3, 5, 33, 127, 255} {
			damaged := slices.Clone(whole)
			damaged[n] = value
			appendMessages(nil, damaged)
			appendMessages(nil, append(damaged, whole...))
		}
	}
}
