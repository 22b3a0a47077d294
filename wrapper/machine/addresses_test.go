package machine

import (
	"net/netip"
	"os"
	"testing"
	"time"

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
