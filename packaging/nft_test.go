package packaging

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A blocked client cannot connect until the block expires or is removed; an older connection still
// works. nft does not change the time of an element that is added again: sendwrap-nft must.
func TestFirewall(t *testing.T) {
	t.Parallel()
	server, client := twoMachines(t)
	for _, tt := range []struct{ network, family, client, neighbour string }{
		{"198.51.100.9/32", "ipv4", "198.51.100.9", "198.51.100.8"},
		{"203.0.113.0/24", "ipv4", "203.0.113.255", "198.51.100.7"},
		{"2001:db8:1::9/128", "ipv6", "2001:db8:1::9", "2001:db8:1::8"},
		{"2001:db8:2:3::/64", "ipv6", "2001:db8:2:3:ffff::1", "2001:db8:2:2::1"},
	} {
		t.Run(tt.network, func(t *testing.T) {
			t.Parallel()
			network := netip.MustParsePrefix(tt.network)
			server, client := machine{t, server.Thread}, machine{t, client.Thread}
			older, err := client.dial(tt.client)
			if err != nil {
				t.Fatalf("before the block: %v", err)
			}
			began := time.Now()
			block := func(seconds int, when string) {
				t.Helper()
				server.hook(tt.network, tt.family, seconds)
				client.blocked(tt.client, when)
				left := server.elements(tt.family)[network]
				if left > seconds || left < seconds-since(began) {
					t.Errorf("%s: the block has %d s left; want %d", when, left, seconds)
				}
			}
			block(3600, "an hour")
			if err := echo(older); err != nil {
				t.Errorf("a connection that is older than the block: %v", err)
			}
			client.reaches(tt.neighbour, "a neighbour")
			block(7200, "two hours for one")

			before := time.Now()
			server.hook(tt.network, tt.family, 2)
			client.reaches(tt.client, "two seconds for two hours")
			if free := time.Since(before); free < 1900*time.Millisecond {
				t.Errorf("two seconds for two hours: free after %v", free)
			}
			block(3600, "once more")
			for range 2 { // the second time there is nothing to remove
				server.hook(tt.network, tt.family, 0)
				client.reaches(tt.client, "0 seconds")
			}
			if left, found := server.elements(tt.family)[network]; found {
				t.Errorf("still in the set, for %d s", left)
			}
		})
	}
}

// since is the number of seconds that have begun since then: an element may have lost as many.
func since(t time.Time) int { return int(time.Since(t).Seconds()) + 1 }

// Random networks within networks: each address is blocked by the network that lasts longest; one
// that blocks no address any more is forgotten. The set must agree with a plain list of networks.
//
// The times of any two blocks are 100 s apart or more. Before a slow machine has used up that much
// the set is flushed. Some blocks last about an hour and some about a day: nft prints them in
// different units.
func TestFirewallOverlap(t *testing.T) {
	t.Parallel()
	const size, steps, apart = 16, 60, 100 // addresses, blocks, and seconds
	for _, tt := range []struct {
		family, base string
		least        int
	}{
		{"ipv4", "192.0.2.16", 28}, {"ipv6", "2001:db8::ff:0", 124},
	} {
		t.Run(tt.family, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			m := firewall(t)
			random := rand.New(rand.NewPCG(1, uint64(tt.least)))
			base := netip.MustParseAddr(tt.base)
			want := map[netip.Prefix]int{}
			var story []string
			for _, rank := range random.Perm(steps) {
				addr := base
				for range random.IntN(size) {
					addr = addr.Next()
				}
				network := netip.PrefixFrom(addr,
					tt.least+random.IntN(addr.BitLen()-tt.least+1)).Masked()
				seconds := apart*(1+rank) + 84_000*random.IntN(2)
				if random.IntN(5) == 0 {
					seconds = 0
				}
				if since(began) > apart/2 {
					m.must("nft", "flush", "set", "inet", "sendwrap", sets[tt.family])
					began, want, story = time.Now(), map[netip.Prefix]int{}, nil
				}
				story = append(story, fmt.Sprintf("%v for %d s", network, seconds))
				m.hook(network.String(), tt.family, seconds)
				if seconds > 0 {
					want[network] = seconds
				}
				for n := range want {
					if seconds == 0 && n.Bits() >= network.Bits() && network.Contains(n.Addr()) {
						delete(want, n)
					}
				}
				got := m.elements(tt.family)
				holds := map[netip.Prefix]bool{}
				addr = base
				for range size {
					owner, seconds := longest(want, addr)
					holds[owner] = true
					if _, left := longest(got, addr); left > seconds ||
						left < seconds-since(began) {
						t.Fatalf("%v is blocked for %d s; want %d\n%s\nthe set: %v", addr, left,
							seconds, strings.Join(story, "\n"), got)
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

// longest is the network that blocks an address for the longest time, and the seconds; zero if none
// does.
func longest(networks map[netip.Prefix]int, addr netip.Addr) (owner netip.Prefix, seconds int) {
	for n, left := range networks {
		if n.Contains(addr) && left > seconds {
			owner, seconds = n, left
		}
	}
	return owner, seconds
}

// Four sendwrap-nft run at once, as sendwrap allows for all its processes together.
func TestFirewallAtOnce(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	networks := []string{
		"192.0.2.9/32", "192.0.2.8/31", "192.0.2.0/24", "192.0.2.9/32", "192.0.0.0/16",
		"198.51.100.7/32", "198.51.100.0/24", "203.0.113.1/32", "203.0.113.2/32", "192.0.2.128/25",
		"192.0.2.9/32", "198.51.100.0/25",
	}
	for round := range 3 {
		var wg sync.WaitGroup
		turns := make(chan bool, 4)
		for i, network := range networks {
			turns <- true
			wg.Go(func() {
				defer func() { <-turns }()
				m.hook(network, "ipv4", 10_000+100*i+round)
			})
		}
		wg.Wait()
		got := m.elements("ipv4")
		for _, network := range networks {
			n := netip.MustParsePrefix(network)
			if _, left := longest(got, n.Addr()); left == 0 {
				t.Errorf("%v is not blocked; the set: %v", n, got)
			}
		}
	}
}

// An element that an administrator has added without a timeout stays, unchanged.
func TestFirewallForGood(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	m.must("nft", "add element inet sendwrap blocked4 { 192.0.2.0/24 }")
	m.hook("192.0.2.9/32", "ipv4", 1)
	m.hook("192.0.2.9/32", "ipv4", 0)
	m.hook("192.0.0.0/16", "ipv4", 100)
	said := m.must("nft", "list set inet sendwrap blocked4")
	if !strings.Contains(said, "192.0.2.0/24,") {
		t.Errorf("192.0.2.0/24 is no longer in the set without a timeout:\n%s", said)
	}
}

// nftables.conf, loaded again, keeps all elements and adds no second rule.
func TestFirewallLoadedTwice(t *testing.T) {
	t.Parallel()
	m := firewall(t)
	m.hook("192.0.2.0/24", "ipv4", 3600)
	m.hook("2001:db8::/64", "ipv6", 3600)
	once := m.must("nft", "-s", "list", "ruleset")
	m.must("nft", "-f", "nftables.conf")
	if twice := m.must("nft", "-s", "list", "ruleset"); twice != once {
		t.Errorf("loaded once:\n%s\ntwice:\n%s", once, twice)
	}
	if n := strings.Count(once, " drop\n"); n != 2 {
		t.Errorf("%d rules; want 2\n%s", n, once)
	}
	if n := strings.Count(once, "/24") + strings.Count(once, "/64"); n != 2 {
		t.Errorf("%d elements; want 2\n%s", n, once)
	}
}

// sendwrap itself calls it as on_block, and `sendwrap blocks -nft` loads the blocks at boot.
func TestFirewallSendwrap(t *testing.T) {
	t.Parallel()
	server, client := twoMachines(t)
	conf := door(t, "on_block "+absolute(t, "sendwrap-nft"))
	sendwrap := func(command string, args ...string) string {
		t.Helper()
		return server.must(append([]string{program(), command, "-f", conf}, args...)...)
	}
	for _, tt := range []struct{ network, family, client string }{
		{"198.51.100.9", "ipv4", "198.51.100.9"}, {"2001:db8:1:2::9", "ipv6", "2001:db8:1:2::8"},
	} {
		sendwrap("block", tt.network, "1h")
		client.blocked(tt.client, "after sendwrap block")
		sendwrap("unblock", tt.network)
		if left := server.elements(tt.family); len(left) > 0 {
			t.Errorf("%s: sendwrap unblock has not reached the firewall: %v", tt.client, left)
		}
		client.reaches(tt.client, "after sendwrap unblock")
	}

	began := time.Now()
	for _, args := range [][]string{
		{"203.0.113.0/24", "30m"}, {"203.0.113.9", "1h"}, {"203.0.113.128/25", "10m"},
		{"198.51.100.0/24", "2h"}, {"198.51.100.8", "20m"}, {"2001:db8:1::/48", "1h"},
		{"2001:db8:1:1::", "2h"}, {"2001:db8:2::", "30m"},
	} {
		sendwrap("block", args...)
	}
	holds := func(when string) {
		t.Helper()
		for _, tt := range []struct {
			addr, family string
			seconds      int
		}{
			{"203.0.113.0", "ipv4", 1800}, {"203.0.113.9", "ipv4", 3600},
			{"203.0.113.200", "ipv4", 1800},
			{"198.51.100.1", "ipv4", 7200}, {"198.51.100.8", "ipv4", 7200},
			{"192.0.2.99", "ipv4", 0},
			{"2001:db8:1::1", "ipv6", 3600}, {"2001:db8:1:1::1", "ipv6", 7200},
			{"2001:db8:2::1", "ipv6", 1800}, {"2001:db8:2:1::1", "ipv6", 0},
		} {
			_, left := longest(server.elements(tt.family), netip.MustParseAddr(tt.addr))
			if left > tt.seconds || left < tt.seconds-since(began) {
				t.Errorf("%s: %s is blocked for %d s; want %d", when, tt.addr, left, tt.seconds)
			}
		}
	}
	holds("by on_block")
	server.must("nft", "flush", "set", "inet", "sendwrap", "blocked4")
	server.must("nft", "flush", "set", "inet", "sendwrap", "blocked6")
	client.reaches("203.0.113.8", "with empty sets")
	script := filepath.Join(t.TempDir(), "blocks.nft")
	for range 2 {
		write(t, script, sendwrap("blocks", "-nft"), 0o644)
		server.must("nft", "-f", script)
		holds("loaded")
	}
	client.blocked("203.0.113.9", "loaded")
	client.blocked("2001:db8:1:1::1", "loaded")
}
