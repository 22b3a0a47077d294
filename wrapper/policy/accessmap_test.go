package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
)

// replyOf is reply n of a sample with a map. They have all lengths up to the longest.
func replyOf(n int) string {
	text := fmt.Sprintf("%d50 reply %d ", 4+n%2, n)
	return text + strings.Repeat("x", (n*7)%(rule.MaxReply+1-len(text)))
}

// addMap gives the sample an access map that says the opposite: what sendwrap.conf denies is
// allowed, and what it allows is denied, with a reply of its own. Its names are without the dot,
// and hold what is below them. One network is for clients without a name.
func (s *sample) addMap() {
	c := s.content
	turn := func(r *Rule) {
		switch r.Access {
		case rule.Deny:
			r.Access = rule.Allow
		case rule.Allow:
			c.Replies = append(c.Replies, replyOf(len(c.Replies)+1))
			r.Access, r.Reply = rule.Deny, uint32(len(c.Replies))
		}
	}
	for _, r := range c.V4 {
		turn(&r.Rule)
		c.Map.V4 = append(c.Map.V4, r)
	}
	for _, r := range c.V6 {
		turn(&r.Rule)
		c.Map.V6 = append(c.Map.V6, r)
	}
	for _, n := range c.Names {
		n.Text = strings.TrimPrefix(n.Text, ".")
		n.Bits = uint8(len(n.Text))
		turn(&n.Rule)
		c.Map.Names = append(c.Map.Names, n)
	}
	r := Rule{Access: rule.Deny, Line: 9, Bits: 8}
	c.Unnamed = Table{V4: []Range{{}, {0, 10 << 24, r}, {0, 11 << 24, Rule{}}}, V6: []Range{{}}}
	s.write()
}

// Each network and name of the map is found beside those of sendwrap.conf, with its reply.
func TestMap(t *testing.T) {
	for _, n := range []int{1, 100, 5000} {
		s := newSample(t, n)
		without, err := Open(s.path, s.file, netip.Addr{})
		if err != nil || without.Policy().Map != nil {
			t.Fatalf("a map where there is none: %v", err)
		}
		without.Close()
		s.addMap()
		reply := 0
		for _, f := range []family{v4, v6} {
			for i := range n {
				client, want := s.nth(i, f)
				if want.Access == rule.Allow {
					reply++
				}
				if i%(1+n/100) > 1 { // two in turn: one of each kind
					continue
				}
				c, err := Open(s.path, s.file, client)
				if err != nil {
					t.Fatal(err)
				}
				m := c.Policy().Map.Match(client)
				if c.Policy().Match(client) != want || !isOpposite(m, want, reply) {
					t.Fatalf("%v: %+v; of sendwrap.conf %+v", client, m, want)
				}
				if other := c.Policy().Map.Match(client.Next()); other != (rule.Match{}) {
					t.Fatalf("answers for another client: %+v", other)
				}
				c.Close()
			}
		}
		c := s.open()
		for i := range n {
			_, want := s.nthName(i)
			if want.Access == rule.Allow {
				reply++
			}
			name := strings.TrimPrefix(nameOf(i), ".")
			want.Name = name
			for _, client := range []string{name, "a." + name, "A.B." + name + "."} {
				if m, _ := c.Policy().Map.MatchName(client); !isOpposite(m, want, reply) {
					t.Fatalf("%s: %+v; of sendwrap.conf %+v", client, m, want)
				}
			}
			if m, _ := c.Policy().Map.MatchName("x" + name); m.Name == name {
				t.Errorf("x%s: %+v", name, m)
			}
		}
		for text, line := range map[string]int{"10.0.0.0": 9, "10.255.255.255": 9, "11.0.0.0": 0,
			"9.255.255.255": 0, "::ffff:10.1.2.3": 9, "::10": 0} {
			m, _ := c.Policy().Map.MatchUnnamed(netip.MustParseAddr(text))
			if m.Source.Line != line {
				t.Errorf("%s without a name: %+v", text, m)
			}
		}
		if !c.Policy().HasNames() || !c.Policy().Map.HasNames() {
			t.Error("has no names")
		}
	}
}

// isOpposite reports whether m is what addMap makes of want.
func isOpposite(m, want rule.Match, reply int) bool {
	text := ""
	if want.Access == rule.Allow {
		text = replyOf(reply)
	}
	return m.Access == rule.Allow+rule.Deny-want.Access && m.Reply == text &&
		m.Source == want.Source && m.Limits == want.Limits && m.Network == want.Network &&
		m.Name == want.Name
}

// The names of the map alone, or its keys for clients without one, are a reason to ask DNS.
func TestMapHasNames(t *testing.T) {
	for name, change := range map[string]func(c *Content){
		"neither": func(c *Content) { c.Unnamed, c.Map.Names = Table{}, nil },
		"names":   func(c *Content) { c.Unnamed = Table{} },
		"unnamed": func(c *Content) { c.Map.Names = nil },
	} {
		s := newSample(t, 3)
		s.content.Names, s.content.Map.Names = nil, []Name{{Text: "example.org"}}
		s.addMap()
		s.content.Map.Names = []Name{{Text: "example.org"}}
		change(s.content)
		s.write()
		p := s.open().Policy()
		if want := name != "neither"; p.HasNames() != want || p.Rules.HasNames() {
			t.Errorf("%s: %v", name, p.HasNames())
		}
	}
}

// TestMapReads: a map costs a client as many reads as the same networks in sendwrap.conf do, and
// one more for a reply, however long the map is.
func TestMapReads(t *testing.T) {
	for _, n := range []int{10, 100_000} {
		s := newSample(t, n)
		before := reads(t, func() { _, _ = Open(s.path, s.file, netip.Addr{}) })
		client, _ := s.nth(n/2|1, v4) // allowed by sendwrap.conf, denied by the map
		conf := reads(t, func() { _, _ = Open(s.path, s.file, client) }) - before
		s.addMap()
		for i, reply := range []int{1, 0} {
			client, _ := s.nth(n/2|1-i, v4)
			got := reads(t, func() { _, _ = Open(s.path, s.file, client) }) - before
			if got != 2*conf+reply {
				t.Errorf("%d networks: %d reads with a map, %d without", n, got, conf)
			}
		}
	}
}

// What is no reply is not written, nor are more than a file can have.
func TestReplies(t *testing.T) {
	for text, want := range map[string]bool{
		"550 no": true, "421 x": true, "550 " + strings.Repeat("x", rule.MaxReply-4): true,
		"": false, "550": false, "550 ": false, "550-no": false, "250 ok": false, "5a0 no": false,
		"550 a\r\nb": false, "550 \x00": false, "550 \x7f": false, "550 é": false,
		"550 " + strings.Repeat("x", rule.MaxReply-3): false,
	} {
		s := newSample(t, 1)
		s.content.Replies = []string{text}
		_, err := Write(discard{}, s.content)
		if (err == nil) != want || IsReply(text) != want {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// A reply that is none, or is not where it should be, is an error where its client is looked up.
func TestRepliesLies(t *testing.T) {
	s := newSample(t, 300)
	s.addMap()
	whole := s.bytes()
	h, _ := (*page)(whole).readHeader(int64(len(whole)))
	client, _ := s.nth(1, v4) // the first that has one
	leaf := int(h.access.v4.at) + 1
	at := headSize + 3*v4.leafSize() + v4.keySize + 12
	place := get32(whole[leaf*pageSize+at:])
	if m, err := s.match(client); err != nil || m.Access == rule.Unset || place>>placeBits == 0 {
		t.Fatal(m, err, place)
	}
	for name, place := range map[string]uint32{
		"head": place&^(pageSize-1) | headSize - 1, "end": place | (pageSize - 1),
		"within": place + 1, "kind": uint32(leaf) << placeBits, "far": 1<<32 - 1,
	} {
		b := append([]byte{}, whole...)
		p := (*page)(b[leaf*pageSize:])
		put32(p[at:], place)
		p.seal(p.head())
		s.put(b)
		if m, err := s.match(client); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
	for name, change := range map[string]string{
		"code": "2", "two lines": "550 a\r\n250 b", "not ASCII": "550 \xff",
	} {
		b := append([]byte{}, whole...)
		p := (*page)(b[int(place>>placeBits)*pageSize:])
		copy(p[int(place)%pageSize+replyHead:], change)
		p.seal(p.head())
		s.put(b)
		if m, err := s.match(client); err == nil {
			t.Errorf("%s: %+v", name, m)
		}
	}
}
