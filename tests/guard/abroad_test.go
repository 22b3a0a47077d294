package guard

import (
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"

	"sendwrap/tests/lab"
)

// The wire between the mail servers and their clients.
var (
	server4, gateway4 = addr("203.0.113.25"), addr("203.0.113.1")
	server6, gateway6 = addr("2001:db8:25::25"), addr("2001:db8:25::1")
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// layWire connects the clients' network with ours. In theirs, all addresses of clients4 and
// clients6 are local.
func layWire() error {
	err := lab.IP(
		fmt.Sprintf("link add ours type veth peer name theirs netns %d", abroad.ID),
		"link set ours up",
		fmt.Sprintf("addr add %v/24 dev ours", server4),
		fmt.Sprintf("addr add %v/64 dev ours nodad", server6),
		fmt.Sprintf("route add %v via %v", clients4, gateway4),
		fmt.Sprintf("-6 route add %v via %v", clients6, gateway6),
	)
	if err != nil {
		return err
	}
	abroad.Do(func() {
		err = lab.IP(
			"link set lo up",
			"link set theirs up",
			fmt.Sprintf("addr add %v/24 dev theirs", gateway4),
			fmt.Sprintf("addr add %v/64 dev theirs nodad", gateway6),
			fmt.Sprintf("route add local %v dev lo", clients4),
			fmt.Sprintf("-6 route add local %v dev lo", clients6),
		)
	})
	return err
}

// Where clients come from.
var (
	clients4 = netip.MustParsePrefix("198.18.0.0/15")
	clients6 = netip.MustParsePrefix("2001:db8:c000::/36")

	strangers atomic.Uint32 // the addresses handed out by stranger
)

// stranger is an address that no client has used before, in a network (/32, /64) of its own.
func (w way) stranger() netip.Addr {
	n := strangers.Add(1)
	if !w.v6 {
		return netip.AddrFrom4([4]byte{198, 18 + byte(n>>16), byte(n >> 8), byte(n)})
	}
	a := clients6.Addr().As16()
	a[6], a[7], a[15] = byte(n>>8), byte(n), 9
	return netip.AddrFrom16(a)
}

// networkOf is the network under which sendwrap counts a client.
func networkOf(client netip.Addr) netip.Prefix {
	bits := 32
	if client.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(client, bits).Masked()
}

// ours are all clients so far with an address of the server's. All sites share these addresses and
// the mail log, in which two clients with the same port could not be told apart.
var ours sync.Map

// dial connects from a client's address, or from one of the server's.
func dial(from netip.Addr, to netip.AddrPort) (c *lab.Client, err error) {
	if !from.IsLoopback() && from != server4 && from != server6 {
		abroad.Do(func() { c, err = lab.Dial(from, to) })
		return c, err
	}
	for {
		if c, err = lab.Dial(from, to); err != nil {
			return nil, err
		}
		if _, known := ours.LoadOrStore(c.Addr, true); !known {
			return c, nil
		}
		c.Close()
	}
}
