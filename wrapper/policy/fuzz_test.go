package policy

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
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

// names are names of clients, with what holds for each.
func (s *sample) names() map[string]rule.Match {
	all := map[string]rule.Match{"example.org": {}, "ost1.example.org": {}, "a.b.c.d.e": {}}
	for n := 0; n < len(s.content.Limits); n += 1 + len(s.content.Limits)/7 {
		client, m := s.nthName(n)
		all[client] = m
		all["x"+client[1:]] = m
		if nameOf(n)[0] != '.' {
			all["x"+client[1:]] = rule.Match{}
		}
	}
	return all
}

// askNames asks the file for each name, and tells what was found where there was no error.
func (s *sample) askNames(
	names map[string]rule.Match, found func(name string, m, want rule.Match),
) (errors int) {
	c, err := Open(s.path, s.file, netip.Addr{})
	if err != nil {
		return len(names)
	}
	defer c.Close()
	for name, want := range names {
		if m, err := c.lookupName(&c.header.names, name); err != nil {
			errors++
		} else {
			found(name, m, want)
		}
	}
	return errors
}

func believableName(t *testing.T, name string, m rule.Match) {
	t.Helper()
	if (m.Name != "") != (m.Access != rule.Unset) || m.Network.IsValid() || m.Name != "" &&
		m.Name != name && (m.Name[0] != '.' || !strings.HasSuffix(name, m.Name)) {
		t.Fatalf("%v: %+v", name, m)
	}
}

// FuzzOpen: whatever is in the file, Open ends, and says of no client what no network says of it.
// What can be read as texts is what Write would write.
func FuzzOpen(f *testing.F) {
	s := newSample(f, 10, "a warning")
	s.addMap()
	whole := s.bytes()
	f.Add(whole)
	f.Add(whole[:pageSize])
	f.Add([]byte{})
	f.Add(whole[headSize+headerSize:][:get32(whole[headSize+16:])])
	clients, names := s.clients(), s.names()
	f.Fuzz(func(t *testing.T, b []byte) {
		s.TB = t
		s.put(b)
		s.ask(clients, func(client netip.Addr, m, _ rule.Match) { believable(t, client, m) })
		s.askNames(names, func(name string, m, _ rule.Match) { believableName(t, name, m) })
		var sources []Source
		var settings Settings
		var warnings []string
		read, again := coder{reading: true, text: string(b)}, coder{}
		if read.texts(&sources, &settings, &warnings); read.failed || read.text != "" {
			return
		}
		again.texts(&sources, &settings, &warnings)
		if again.failed || string(again.written) != string(b) {
			t.Fatalf("read as %+v, which is written as %q", settings, again.written)
		}
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
	s.addMap()
	whole, clients, names := s.bytes(), s.clients(), s.names()
	f.Add([]byte{}, false)
	h, _ := (*page)(whole).readHeader(int64(len(whole)))
	last := byte(h.names.at + h.names.pages - 1) // a page of names, as those before
	for _, sealed := range []bool{false, true} {
		for _, at := range []byte{0, 8, 16, 20, 22, 24, 28, 32, 40, 44, 48, 52, 60, 72} {
			f.Add([]byte{0, 0, 0, at, 1, 1, 0, 0, at, 255, 30, 0, 1, at, 7}, sealed)
			f.Add([]byte{34, 0, 0, at, 200, 35, 0, 0, at, 3, 40, 0, 15, 255, 1}, sealed)
			f.Add([]byte{last, 0, 0, at, 200, last - 1, 0, 0, at, 3, last - 2, 0, 4, at, 1}, sealed)
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
		s.askNames(names, func(name string, m, want rule.Match) {
			believableName(t, name, m)
			if !sealed && m != want {
				t.Fatalf("%v: %+v; want %+v", name, m, want)
			}
		})
		s.askMap(clients, names, func(what any, m rule.Match) {
			if m.Reply != "" && !IsReply(m.Reply) ||
				!sealed && m.Reply != "" && !slices.Contains(s.content.Replies, m.Reply) {
				t.Fatalf("%v: reply %q", what, m.Reply)
			}
		})
	})
}

// askMap asks the map of the file for each client and name, and tells what was found where there
// was no error.
func (s *sample) askMap(
	clients map[netip.Addr]rule.Match, names map[string]rule.Match, found func(any, rule.Match),
) {
	c, err := Open(s.path, s.file, netip.Addr{})
	if err != nil {
		return
	}
	defer c.Close()
	for client := range clients {
		for _, t := range []*table{&c.header.access, &c.header.unnamed} {
			if m, err := c.lookup(t, client); err == nil {
				found(client, m)
			}
		}
	}
	for name := range names {
		if m, err := c.lookupName(&c.header.access.names, name); err == nil {
			found(name, m)
		}
	}
}

// TestPagesSwapped: a page in the place of another, or that of another edition, is an error, never
// another rule.
func TestPagesSwapped(t *testing.T) {
	s := newSample(t, 700)
	whole, clients, names := s.bytes(), s.clients(), s.names()
	for i := range s.content.Names {
		s.content.Names[i].Line += 1000
	}
	for _, ranges := range [][]Range{s.content.V4, s.content.V6} {
		for i := range ranges {
			ranges[i].Line += 1000 // as after lines were put before
		}
	}
	s.content.Made = s.content.Made.Add(1)
	other := s.bytes()
	random, seen, seenNames := rand.New(rand.NewPCG(1, 2)), 0, 0
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
		seenNames += s.askNames(names, func(name string, got, want rule.Match) {
			if got != want {
				t.Fatalf("page %d in place of %d: %s: %+v; want %+v", m, n, name, got, want)
			}
		})
	}
	if seen == 0 || seenNames == 0 {
		t.Error("no error was seen")
	}
}
