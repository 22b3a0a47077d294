package guard

import (
	"net/netip"
	"sync/atomic"
	"testing"
)

// wideNetworks counts the ones that wideClients has handed out.
var wideNetworks atomic.Uint32

// wideClients are n clients of one IPv4 /24 or IPv6 /48, in which there are no others.
func (w way) wideClients(n int) (all []netip.Addr) {
	wide := byte(wideNetworks.Add(1))
	for host := range byte(n) {
		if !w.v6 {
			all = append(all, netip.AddrFrom4([4]byte{198, 19, wide, host + 1}))
			continue
		}
		a := clients6.Addr().As16()
		a[4], a[5], a[7], a[15] = a[4]|1, wide, host+1, 9
		all = append(all, netip.AddrFrom16(a))
	}
	return all
}

// One guess from each of many clients of a wide network earns it a block, by its own name. No
// client of it is served then, and those of others are.
func TestOneEachClient(t *testing.T) {
	const conf = "bad_rcpts_total 0\nwide 24 48 bad_rcpts_total=5/1h\n"
	everywhere(t, options{conf: conf}, func(t *testing.T, s *site, w way) {
		clients := w.wideClients(6)
		var c *client
		for i, name := range names("bad", 5) {
			c = s.session(t, w, clients[i])
			c.expect("250", mailFrom)
			if i == 4 {
				s.expectEnd(c, w, "550 5.1.1 ", rcpt(name))
				break
			}
			c.expect("550 5.1.1 ", rcpt(name))
			c.expect("221", "QUIT")
			c.waitClosed()
		}
		wide := netip.PrefixFrom(clients[0], map[bool]int{false: 24, true: 48}[w.v6]).Masked()
		l := logged(t, "BADRCPTS", c.Addr)
		for key, value := range map[string]string{
			"network": wide.String(), "bad": "1/3", "total": "5/5", "per": "1h", "total_good": "0",
			"reason": "bad_rcpts",
		} {
			if l.fields[key] != value {
				t.Errorf("%s=%s; want %s: %s", key, l.fields[key], value, l.text)
			}
		}
		blocked := s.blocked()
		if blocked[wide] != "bad_rcpts" {
			t.Errorf("%v is not blocked: %v", wide, blocked)
		}
		for _, client := range clients {
			if reason, own := blocked[networkOf(client)]; own {
				t.Errorf("%v is blocked, too: %s", client, reason)
			}
		}
		checkTurnedAway(t, s, clients[5])
		beside := s.session(t, w, w.wideClients(1)[0])
		s.waitDelivered(t, beside.sendMessage("good001"))
		beside.expect("221", "QUIT")
	})
}
