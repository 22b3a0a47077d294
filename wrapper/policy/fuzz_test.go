package policy

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"sendwrap/allowlist/rule"
)

// clients are some of the sample's, with what holds for each.
func (s *sample) clients() map[netip.Addr]rule.Match {
	all := map[netip.Addr]rule.Match{}
	for _, f := range []family{v4, v6} {
		all[f.addr(key{})] = rule.Match{}
		all[f.addr(f.last())] = rule.Match{}
		for n := 0; n < len(s.content.Limits); n += 1 + len(s.content.Limits)/7 {
			client, m := s.nth(n, f)
			all[client] = m
			all[client.Next()] = rule.Match{}
		}
	}
	return all
}

// FuzzOpen: whatever is in the file, Open ends, and says of no client what no network says of it.
func FuzzOpen(f *testing.F) {
	s := newSample(f, 10, "a warning")
	whole := s.bytes()
	f.Add(whole)
	f.Add(whole[:pageSize])
	f.Add([]byte{})
	clients := s.clients()
	f.Fuzz(func(t *testing.T, b []byte) {
		s.TB = t
		s.put(b)
		s.ask(clients, func(client netip.Addr, m, _ rule.Match) { believable(t, client, m) })
	})
}

// ask asks the file for each client, and tells what was found where there was no error.
func (s *sample) ask(
	clients map[netip.Addr]rule.Match, found func(client netip.Addr, m, want rule.Match),
) (errors int) {
	c, err := Open(s.path, s.file, netip.Addr{})
	if err != nil {
		return len(clients)
	}
	defer c.Close()
	for client, want := range clients {
		if rules := c.Others([]netip.Addr{client}); rules == nil {
			errors++
		} else {
			found(client, rules.Match(client), want)
		}
	}
	return errors
}

func believable(t *testing.T, client netip.Addr, m rule.Match) {
	t.Helper()
	if m.Network.IsValid() != (m.Access != rule.Unset) ||
		m.Network.IsValid() && !m.Network.Contains(client) {
		t.Fatalf("%v: %+v", client, m)
	}
}

// FuzzChanged changes bytes of a policy: each change is two bytes of page, two of place, one of
// value. Without sealing, a page that was changed is an error, never another rule. With the right
// checksum it may be another rule, but Open still ends, and the rule's network holds the client.
func FuzzChanged(f *testing.F) {
	s := newSample(f, 700, "a warning")
	whole, clients := s.bytes(), s.clients()
	f.Add([]byte{}, false)
	for _, sealed := range []bool{false, true} {
		for _, at := range []byte{0, 8, 16, 20, 22, 24, 28, 32, 40, 44, 48, 52, 60, 72} {
			f.Add([]byte{0, 0, 0, at, 1, 1, 0, 0, at, 255, 30, 0, 1, at, 7}, sealed)
			f.Add([]byte{34, 0, 0, at, 200, 35, 0, 0, at, 3, 40, 0, 15, 255, 1}, sealed)
		}
	}
	f.Fuzz(func(t *testing.T, changes []byte, sealed bool) {
		s.TB = t
		b := append([]byte{}, whole...)
		for ; len(changes) >= 5; changes = changes[5:] {
			n := (int(changes[0]) | int(changes[1])<<8) % (len(b) / pageSize)
			p := (*page)(b[n*pageSize:])
			p[(int(changes[2])<<8|int(changes[3]))%pageSize] = changes[4]
			if sealed {
				put64(p[:], p.sum())
			}
		}
		s.put(b)
		s.ask(clients, func(client netip.Addr, m, want rule.Match) {
			believable(t, client, m)
			if !sealed && m != want {
				t.Fatalf("%v: %+v; want %+v", client, m, want)
			}
		})
	})
}

// TestPagesSwapped: a page in the place of another, or that of another edition, is an error, never
// another rule.
func TestPagesSwapped(t *testing.T) {
	s := newSample(t, 700)
	whole, clients := s.bytes(), s.clients()
	for _, ranges := range [][]Range{s.content.V4, s.content.V6} {
		for i := range ranges {
			ranges[i].Line += 1000 // as after lines were put before
		}
	}
	s.content.Made = s.content.Made.Add(1)
	other := s.bytes()
	random, seen := rand.New(rand.NewPCG(1, 2)), 0
	for range 300 {
		b := append([]byte{}, whole...)
		n, m := random.IntN(len(b)/pageSize), random.IntN(len(b)/pageSize)
		from := whole
		if random.IntN(2) == 0 {
			m, from = n, other
		}
		copy(b[n*pageSize:(n+1)*pageSize], from[m*pageSize:])
		s.put(b)
		seen += s.ask(clients, func(client netip.Addr, got, want rule.Match) {
			if got != want {
				t.Fatalf("page %d in place of %d: %v: %+v; want %+v", m, n, client, got, want)
			}
		})
	}
	if seen == 0 {
		t.Error("no error was seen")
	}
}
