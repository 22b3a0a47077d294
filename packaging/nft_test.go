package packaging

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A blocked client cannot connect, and can again when the time is up; one that is connected still reads what it is told.
func TestFirewall(t *testing.T) {
	t.Parallel()
	server, client := twoMachines(t)
	tests := []struct{ network, family, client, neighbour string }{
		{"198.51.100.9/32", "ipv4", "198.51.100.9", "198.51.100.8"},
		{"203.0.113.0/24", "ipv4", "203.0.113.255", "198.51.100.7"},
		{"2001:db8:1::9/128", "ipv6", "2001:db8:1::9", "2001:db8:1::8"},
		{"2001:db8:2:3::/64", "ipv6", "2001:db8:2:3:ffff::1", "2001:db8:2:2::1"},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			t.Parallel()
			conn, err := client.dial(tt.client, patience)
			if err != nil {
				t.Fatalf("before the block: %v", err)
			}
			defer conn.Close()

			before := time.Now()
			server.mustHook(t, tt.network, tt.family, "3", "strikes")
			began := time.Now()
			if !client.blocked(t, tt.client) {
				t.Error("can connect in spite of the block")
			}
			if err := echo(conn); err != nil || time.Since(before) > 3*time.Second {
				t.Errorf("a connection that is older than the block: %v after %v", err, time.Since(before))
			}
			if err := client.reach(tt.neighbour); err != nil {
				t.Errorf("a neighbour: %v", err)
			}
			if free := client.freeAgain(t, tt.client); free.Before(before.Add(3*time.Second)) || free.After(began.Add(3*time.Second+slack)) {
				t.Errorf("free again after %v; want 3s", free.Sub(began))
			}
		})
	}
}

// A set's element does not take another time by being added; sendwrap-nft must see to that.
func TestFirewallRenew(t *testing.T) {
	t.Parallel()
	server, client := twoMachines(t)
	for _, tt := range []struct{ network, family, client string }{
		{"198.51.100.0/24", "ipv4", "198.51.100.9"}, {"2001:db8:1::/64", "ipv6", "2001:db8:1::9"},
	} {
		t.Run(tt.family, func(t *testing.T) {
			t.Parallel()
			server.mustHook(t, tt.network, tt.family, "1", "longer")
			server.mustHook(t, tt.network, tt.family, "3600", "longer")
			time.Sleep(1200 * time.Millisecond)
			if !client.blocked(t, tt.client) {
				t.Error("a second for an hour: free after a second")
			}
			before := time.Now()
			server.mustHook(t, tt.network, tt.family, "1", "shorter")
			if !client.blocked(t, tt.client) && time.Since(before) < time.Second {
				t.Error("an hour for a second: free at once")
			}
			if free := client.freeAgain(t, tt.client); free.After(before.Add(time.Second + slack)) {
				t.Errorf("an hour for a second: free after %v", free.Sub(before))
			}
			server.mustHook(t, tt.network, tt.family, "3600", "ended")
			if !client.blocked(t, tt.client) {
				t.Error("not blocked again")
			}
			server.mustHook(t, tt.network, tt.family, "0", "ended")
			if err := client.reach(tt.client); err != nil {
				t.Errorf("0 seconds: %v", err)
			}
			// What is not there cannot be taken out, and need not.
			server.mustHook(t, tt.network, tt.family, "0", "ended")
			if left := server.elements(t, tt.family); len(left) > 0 {
				t.Errorf("left in the set: %v", left)
			}
		})
	}
}

// Networks within networks, at random: each address is held by the block that lasts longest; one that holds no address any more is
// forgotten. What the set says is compared with a list that says it in the plainest way.
func TestFirewallOverlap(t *testing.T) {
	t.Parallel()
	const size = 16 // addresses
	for _, tt := range []struct {
		family, base string
		least        int
	}{
		{"ipv4", "192.0.2.16", 28}, {"ipv6", "2001:db8::ff:0", 124},
	} {
		t.Run(tt.family, func(t *testing.T) {
			t.Parallel()
			m := firewall(t)
			random := rand.New(rand.NewPCG(1, uint64(tt.least)))
			base := netip.MustParseAddr(tt.base)
			want := map[netip.Prefix]time.Time{}
			var story []string
			for step := range 60 {
				addr := base
				for range random.IntN(size) {
					addr = addr.Next()
				}
				network := netip.PrefixFrom(addr, tt.least+random.IntN(addr.BitLen()-tt.least+1)).Masked()
				seconds := 100 * (1 + random.IntN(1000))
				if random.IntN(5) == 0 {
					seconds = 0
				}
				story = append(story, fmt.Sprintf("%v for %d s", network, seconds))
				m.mustHook(t, network.String(), tt.family, strconv.Itoa(seconds), "random")
				if seconds > 0 {
					want[network] = time.Now().Add(time.Duration(seconds) * time.Second)
				}
				for n := range want {
					if seconds == 0 && n.Bits() >= network.Bits() && network.Contains(n.Addr()) {
						delete(want, n)
					}
				}
				got := m.elements(t, tt.family)
				holds := map[netip.Prefix]bool{}
				addr = base
				for range size {
					owner, till := longest(want, addr)
					holds[owner] = true
					_, has := longest(got, addr)
					if diff := has.Sub(till).Abs(); diff > 5*time.Second {
						t.Fatalf("step %d: %v is blocked until %v; want %v\n%s\nthe set: %v", step, addr, has, till, strings.Join(story, "\n"), got)
					}
					addr = addr.Next()
				}
				for n := range want {
					if !holds[n] {
						delete(want, n)
					}
				}
			}
		})
	}
}

// longest is the network that holds an address for the longest time, and until when; nothing if none does.
func longest(networks map[netip.Prefix]time.Time, addr netip.Addr) (owner netip.Prefix, till time.Time) {
	for n, end := range networks {
		if n.Contains(addr) && end.After(till) {
			owner, till = n, end
		}
	}
	return owner, till
}

// Four run at once, over all processes of sendwrap.
func TestFirewallAtOnce(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	networks := []string{
		"192.0.2.9/32", "192.0.2.8/31", "192.0.2.0/24", "192.0.2.9/32", "192.0.0.0/16", "198.51.100.7/32",
		"198.51.100.0/24", "203.0.113.1/32", "203.0.113.2/32", "192.0.2.128/25", "192.0.2.9/32", "198.51.100.0/25",
	}
	for round := range 3 {
		var wg sync.WaitGroup
		turns := make(chan bool, 4)
		for i, network := range networks {
			turns <- true
			wg.Go(func() {
				defer func() { <-turns }()
				if out, err := m.hook(network, "ipv4", strconv.Itoa(1000+100*i+round), "at_once"); err != nil {
					t.Errorf("%s: %v\n%s", network, err, out)
				}
			})
		}
		wg.Wait()
		got := m.elements(t, "ipv4")
		for _, network := range networks {
			n := netip.MustParsePrefix(network)
			if _, till := longest(got, n.Addr()); till.IsZero() {
				t.Errorf("%v is not blocked; the set: %v", n, got)
			}
		}
	}
}

// What an administrator has put into the set for good stays, and holds for the whole of it.
func TestFirewallForGood(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	m.must(t, "nft", "add element inet sendwrap blocked4 { 192.0.2.0/24 }")
	m.mustHook(t, "192.0.2.9/32", "ipv4", "1", "within")
	m.mustHook(t, "192.0.2.9/32", "ipv4", "0", "within")
	m.mustHook(t, "192.0.0.0/16", "ipv4", "100", "around")
	said := m.must(t, "nft", "list set inet sendwrap blocked4")
	if !strings.Contains(said, "192.0.2.0/24,") {
		t.Errorf("192.0.2.0/24 is no more in the set for good:\n%s", said)
	}
}

// Loaded again, nftables.conf loses no element, and drops no packet twice.
func TestFirewallLoadedTwice(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	m.mustHook(t, "192.0.2.0/24", "ipv4", "3600", "x")
	m.mustHook(t, "2001:db8::/64", "ipv6", "3600", "x")
	once := m.must(t, "nft", "-s", "list", "ruleset")
	m.must(t, "nft", "-f", "nftables.conf")
	if twice := m.must(t, "nft", "-s", "list", "ruleset"); twice != once {
		t.Errorf("loaded once:\n%s\ntwice:\n%s", once, twice)
	}
	if n := strings.Count(once, " drop\n"); n != 2 {
		t.Errorf("%d rules; want 2\n%s", n, once)
	}
	if n := strings.Count(once, "/24") + strings.Count(once, "/64"); n != 2 {
		t.Errorf("%d elements; want 2\n%s", n, once)
	}
}

// Wrong arguments are refused before nft is called, whatever they may contain.
func TestFirewallArguments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	calls := filepath.Join(dir, "calls")
	write(t, filepath.Join(dir, "nft"), "#!/bin/sh\necho called >>"+calls+"\n", 0o755)
	script := filepath.Join(dir, "sendwrap-nft")
	write(t, script, replace(t, read(t, "sendwrap-nft"), map[string]string{"\nPATH=": "\nPATH=" + dir + ":"}, true), 0o755)
	run := func(args ...string) (string, error) {
		cmd := osexec.Command(script, args...)
		cmd.Env, cmd.Dir = []string{}, dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for _, args := range [][]string{
		{}, {"192.0.2.1"}, {"192.0.2.1", "ipv4", "60"}, {"192.0.2.1", "ipv4", "60", "x", "y"}, {"-f", "nftables.conf"},
		{"192.0.2.1; flush ruleset", "ipv4", "60", "x"}, {"192.0.2.1\nflush ruleset", "ipv4", "60", "x"}, {"192.0.2.1\n", "ipv4", "60", "x"},
		{"$(touch hacked)", "ipv4", "60", "x"}, {"`touch hacked`", "ipv4", "60", "x"}, {"192.0.2.1 }", "ipv4", "60", "x"},
		{"*", "ipv4", "60", "x"}, {"-f", "ipv4", "60", "x"}, {"--", "ipv4", "60", "x"}, {"", "ipv4", "60", "x"}, {" ", "ipv4", "60", "x"},
		{"mx.example", "ipv4", "60", "x"}, {"dead:beef", "ipv6", "60", "x"}, {"192.0.2.1\\n", "ipv4", "60", "x"},
		{"192.0.2", "ipv4", "60", "x"}, {"192.0.2.1.1", "ipv4", "60", "x"}, {"192.0.2.256", "ipv4", "60", "x"}, {"192.0.2.", "ipv4", "60", "x"},
		{"192.0.2.1/33", "ipv4", "60", "x"}, {"192.0.2.1/", "ipv4", "60", "x"}, {"192.0.2.1/32/32", "ipv4", "60", "x"},
		{"192.0.2.1/24", "ipv4", "60", "x"}, {"0.0.0.0/0", "ipv4", "60", "x"}, {"10.0.0.0/7", "ipv4", "60", "x"}, {"192.0.2.1-192.0.2.9", "ipv4", "60", "x"},
		{"::/0", "ipv6", "60", "x"}, {"2000::/15", "ipv6", "60", "x"}, {"2001:db8::1/64", "ipv6", "60", "x"}, {"2001:db8::/129", "ipv6", "60", "x"},
		{"2001:db8:::1", "ipv6", "60", "x"}, {"2001::db8::1", "ipv6", "60", "x"}, {"1:2:3:4:5:6:7", "ipv6", "60", "x"}, {":1:2:3:4:5:6:7", "ipv6", "60", "x"},
		{"1:2:3:4:5:6:7:8:9", "ipv6", "60", "x"}, {"12345::", "ipv6", "60", "x"}, {"::ffff:192.0.2.1", "ipv6", "60", "x"}, {"fe80::1%eth0", "ipv6", "60", "x"},
		{"2001:db8::1", "ipv4", "60", "x"}, {"192.0.2.1", "ipv6", "60", "x"}, {"192.0.2.1", "inet", "60", "x"}, {"192.0.2.1", "", "60", "x"},
		{"192.0.2.1", "ipv4", "", "x"}, {"192.0.2.1", "ipv4", "-1", "x"}, {"192.0.2.1", "ipv4", "60s", "x"}, {"192.0.2.1", "ipv4", "1.5", "x"},
		{"192.0.2.1", "ipv4", "60 }", "x"}, {"192.0.2.1", "ipv4", "2678401", "x"}, {"192.0.2.1", "ipv4", "99999999999999999999", "x"}, {"192.0.2.1", "ipv4", "010", "x"},
		{"192.0.2.1", "ipv4", "60\nflush ruleset", "x"}, {"192.0.2.1", "ipv4", "0x10", "x"},
	} {
		out, err := run(args...)
		var exit *osexec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.HasPrefix(out, "sendwrap-nft: ") {
			t.Errorf("%q: %v, %q; want exit status 1 and a word about it", args, err, out)
		}
		if _, err := os.Stat(calls); err == nil {
			t.Fatalf("%q: nft was called", args)
		}
	}
	if out, err := run("192.0.2.1", "ipv4", "2678400", "$(touch hacked); -f"); err != nil || out != "" {
		t.Errorf("right arguments: %v, %q", err, out)
	}
	if _, err := os.Stat(calls); err != nil {
		t.Error("right arguments: nft was not called either; this test proves nothing")
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("an argument was run")
	}
}

// Where the sets are not, it says so, and fails.
func TestFirewallWithoutSets(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	for _, seconds := range []string{"60", "0"} {
		out, err := m.hook("192.0.2.1/32", "ipv4", seconds, "x")
		if err == nil || !strings.Contains(out, "load nftables.conf") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s seconds: %v, %q; want one line that says what to load", seconds, err, out)
		}
	}
}

// What sendwrap itself makes of it: on_block, and what is loaded at boot.
func TestFirewallSendwrap(t *testing.T) {
	t.Parallel()
	server, client := twoMachines(t)
	program, conf := door(t, "on_block "+absolute(t, "sendwrap-nft"))
	sendwrap := func(command string, args ...string) string {
		t.Helper()
		return server.must(t, append([]string{program, command, "-f", conf}, args...)...)
	}
	for _, tt := range []struct{ network, family, client string }{
		{"198.51.100.9", "ipv4", "198.51.100.9"}, {"2001:db8:1:2::9", "ipv6", "2001:db8:1:2::8"},
	} {
		sendwrap("block", tt.network, "1h")
		if !client.blocked(t, tt.client) {
			t.Errorf("%s: on_block has not reached the firewall", tt.client)
		}
		sendwrap("unblock", tt.network)
		if left := server.elements(t, tt.family); len(left) > 0 {
			t.Errorf("%s: the end of the block has not reached the firewall: %v", tt.client, left)
		}
		if err := client.reach(tt.client); err != nil {
			t.Errorf("%s, block ended: %v", tt.client, err)
		}
	}

	before := time.Now()
	for _, args := range [][]string{
		{"203.0.113.0/24", "4s"}, {"203.0.113.9", "1h"}, {"203.0.113.128/25", "2s"}, {"198.51.100.0/24", "2h"}, {"198.51.100.8", "1m"},
		{"2001:db8:1::/48", "1h"}, {"2001:db8:1:1::", "2h"}, {"2001:db8:2::", "4s"},
	} {
		sendwrap("block", args...)
	}
	began := time.Now()
	var held [2]map[netip.Prefix]time.Time
	for i, family := range []string{"ipv4", "ipv6"} {
		held[i] = server.elements(t, family)
	}
	server.must(t, "nft", "flush", "set", "inet", "sendwrap", "blocked4")
	server.must(t, "nft", "flush", "set", "inet", "sendwrap", "blocked6")
	if err := client.reach("203.0.113.8"); err != nil {
		t.Errorf("blocked by empty sets: %v; this test proves nothing", err)
	}
	script := filepath.Join(t.TempDir(), "blocks.nft")
	for range 2 {
		write(t, script, sendwrap("blocks", "-nft"), 0o644)
		server.must(t, "nft", "-f", script)
	}
	for i, family := range []string{"ipv4", "ipv6"} {
		got := server.elements(t, family)
		for _, addr := range []string{
			"203.0.113.0", "203.0.113.9", "203.0.113.200", "198.51.100.1", "198.51.100.8", "192.0.2.99",
			"2001:db8:1::1", "2001:db8:1:1::1", "2001:db8:2::1", "2001:db8:2:1::1",
		} {
			_, want := longest(held[i], netip.MustParseAddr(addr))
			if _, till := longest(got, netip.MustParseAddr(addr)); till.Sub(want).Abs() > 3*time.Second {
				t.Errorf("loaded, %s is blocked until %v; on_block had said %v", addr, till, want)
			}
		}
	}
	if !client.blocked(t, "203.0.113.9") || !client.blocked(t, "2001:db8:1:1::1") {
		t.Error("loaded, but not blocked")
	}
	for _, who := range []string{"203.0.113.8", "2001:db8:2::1"} {
		if free := client.freeAgain(t, who); free.Before(before.Add(4*time.Second)) || free.After(began.Add(4*time.Second+slack)) {
			t.Errorf("loaded again, %s is free after %v; want 4s", who, free.Sub(began))
		}
	}
}

// firewall is a machine with our sets.
func firewall(t *testing.T) *machine {
	t.Helper()
	m := newMachine(t)
	m.must(t, "nft", "-f", "nftables.conf")
	return m
}

// hook runs sendwrap-nft, beside others.
func (m *machine) hook(args ...string) (string, error) {
	var cmd *osexec.Cmd
	var said strings.Builder
	var err error
	m.do(func() {
		cmd = osexec.Command("./sendwrap-nft", args...)
		cmd.Env = []string{}
		cmd.Stdout, cmd.Stderr = &said, &said
		err = cmd.Start()
	})
	if err == nil {
		err = cmd.Wait()
	}
	return said.String(), err
}

func (m *machine) mustHook(t *testing.T, args ...string) {
	t.Helper()
	if out, err := m.hook(args...); err != nil || out != "" {
		t.Fatalf("sendwrap-nft %q: %v\n%s", args, err, out)
	}
}

// elements are the networks in a set, and until when they are; those that are there for good are left out.
func (m *machine) elements(t *testing.T, family string) map[netip.Prefix]time.Time {
	t.Helper()
	out := m.must(t, "nft", "-j", "list", "set", "inet", "sendwrap", map[string]string{"ipv4": "blocked4", "ipv6": "blocked6"}[family])
	var list struct {
		Nftables []struct {
			Set struct {
				Elem []struct {
					Elem struct {
						Val     json.RawMessage
						Expires int
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	all := map[netip.Prefix]time.Time{}
	for _, object := range list.Nftables {
		for _, e := range object.Set.Elem {
			var prefix struct {
				Prefix struct {
					Addr netip.Addr
					Len  int
				}
			}
			var addr netip.Addr
			n := netip.Prefix{}
			if json.Unmarshal(e.Elem.Val, &addr) == nil {
				n = netip.PrefixFrom(addr, addr.BitLen())
			} else if err := json.Unmarshal(e.Elem.Val, &prefix); err == nil {
				n = netip.PrefixFrom(prefix.Prefix.Addr, prefix.Prefix.Len)
			}
			if !n.IsValid() {
				t.Fatalf("element %s is no network\n%s", e.Elem.Val, out)
			}
			all[n] = time.Now().Add(time.Duration(e.Elem.Expires) * time.Second)
		}
	}
	return all
}
