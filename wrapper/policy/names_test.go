package policy

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
)

// Each name is found, however many there are; what is beside them is not.
func TestNames(t *testing.T) {
	for _, n := range []int{0, 1, 10, 200, 10_000} {
		s := newSample(t, n)
		c := s.open()
		if c.HasNames() != (n > 0) {
			t.Errorf("%d names: has some: %v", n, c.HasNames())
		}
		for i := 0; i < n; i += 1 + n/500 {
			client, want := s.nthName(i)
			for _, client := range []string{client, strings.ToUpper(client), client + "."} {
				if m, _ := c.MatchName(client); m != want {
					t.Fatalf("%d names, %s: %+v\nwant %+v", n, client, m, want)
				}
			}
			for _, other := range []string{"x" + client, client + "x", client[1:], "." + client,
				nameOf(i), "a." + client} {
				m, _ := c.MatchName(other)
				mine := other == nameOf(i) ||
					nameOf(i)[0] == '.' && strings.HasSuffix(other, nameOf(i))
				switch {
				case other[0] == '.' && m != (rule.Match{}), !mine && m.Source == want.Source,
					mine && other[0] != '.' && m != want:
					t.Fatalf("%d names, %s beside %s: %+v", n, other, nameOf(i), m)
				}
			}
		}
		for _, client := range []string{"", ".", "example.org", "host.example.org", "localhost",
			strings.Repeat("x.", 120) + "host1.example.org", strings.Repeat("x", 5000)} {
			if m, _ := c.MatchName(client); m != (rule.Match{}) {
				t.Errorf("%d names, %.50q: %+v", n, client, m)
			}
		}
	}
}

// reads is how many reading system calls f makes, by the count of the kernel.
func reads(t *testing.T, f func()) (n int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	count := func() (n int) {
		text, err := os.ReadFile("/proc/thread-self/io")
		if err != nil {
			lab.Need(t, "the kernel does not count: "+err.Error())
		}
		_, after, _ := strings.Cut(string(text), "syscr: ")
		if _, err := fmt.Sscan(after, &n); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return n
	}
	count() // which reads, too
	before := count()
	between := count() - before
	before = count()
	f()
	return count() - before - between
}

// TestNameReads: a hundred thousand names cost a lookup what ten do: a page for each name that can
// have a rule, and one more for limits that it has. The most that a client's name can cost is a
// page for each of the 32 labels that a rule can have.
func TestNameReads(t *testing.T) {
	for _, n := range []int{10, 100_000} {
		s := newSample(t, n)
		c := s.open()
		labels := []string{}
		for i := range 125 {
			labels = append(labels, fmt.Sprint(i%10))
		}
		for _, tt := range []struct {
			client string
			want   int
		}{
			{nameOf(1), 2}, {"mx" + nameOf(0), 2}, {"a.b.c.d.e.mx" + nameOf(0), 2},
			{"mx.other.example", 3}, {"localhost", 1}, {"a.b", 2}, {"", 0}, {"..", 0},
			{strings.Join(labels, "."), 3}, {strings.Repeat("x", 64) + ".b", 0},
		} {
			got := reads(t, func() { c.MatchName(tt.client) })
			if got != tt.want {
				t.Errorf("%d names: %d reads for %.60s; want %d", n, got, tt.client, tt.want)
			}
		}
		s.content.Names[0].Text = "." + strings.Join(labels[:rule.MaxLabels], ".")
		s.content.Names[0].Bits = uint8(len(s.content.Names[0].Text))
		s.write()
		c = s.open()
		for client, want := range map[string]int{
			strings.Join(labels, "."):                           rule.MaxLabels,
			strings.Join(labels[:rule.MaxLabels-1], "."):        rule.MaxLabels - 1,
			"x" + s.content.Names[0].Text:                       2,
			"y.x.w.v.u.t" + s.content.Names[0].Text:             2,
			"x." + strings.Join(labels[:rule.MaxLabels-1], "."): rule.MaxLabels,
		} {
			if got := reads(t, func() { c.MatchName(client) }); got != want {
				t.Errorf("%d names: %d reads for %.60s; want %d", n, got, client, want)
			}
		}
		if m, _ := c.MatchName(strings.Repeat("x.", 60) + "x" + s.content.Names[0].Text); m.Name !=
			s.content.Names[0].Text {
			t.Errorf("92 labels: %+v", m)
		}
	}
}

// TestNamesShareAPage: the hash leads to a page, and the text decides. So an attacker that finds a
// name with the hash of another gains nothing: here all hashes lead to one page, with names of one
// length.
func TestNamesShareAPage(t *testing.T) {
	s := newSample(t, 10)
	s.content.Names = nil
	for i := range 50 {
		name := fmt.Sprintf("host%02d.example.org", i)
		s.content.Names = append(s.content.Names,
			Name{name, Rule{Access: rule.Deny, Line: uint32(i), Bits: uint8(len(name))}})
	}
	s.write()
	c := s.open()
	if c.header.names.pages != 1 {
		t.Fatalf("%d pages", c.header.names.pages)
	}
	for i := range 100 {
		name := fmt.Sprintf("host%02d.example.org", i)
		if m, _ := c.MatchName(name); i < 50 && (m.Name != name || m.Source.Line != i) ||
			i >= 50 && m != (rule.Match{}) {
			t.Errorf("%s: %+v", name, m)
		}
	}
}

// Names of any length fit, though few of the longest fit in a page. What is no name of a rule is
// not written.
func TestNamesLong(t *testing.T) {
	s := newSample(t, 1)
	s.content.Names = nil
	for i := range 20_000 {
		name := fmt.Sprintf("%s%05d.org", strings.Repeat(strings.Repeat("a", 60)+".", 4), i)
		s.content.Names = append(s.content.Names,
			Name{name, Rule{Access: rule.Deny, Line: uint32(i), Bits: uint8(len(name))}})
	}
	if n := len(s.content.Names[0].Text); n != rule.MaxName {
		t.Fatal(n)
	}
	s.write()
	c := s.open()
	t.Logf("%d pages for %d names", c.header.names.pages, len(s.content.Names))
	for i := 0; i < 20_000; i += 7 {
		name := s.content.Names[i].Text
		if m, _ := c.MatchName(name); m.Name != name || m.Source.Line != i {
			t.Fatalf("%s: %+v", name, m)
		}
	}
	for _, bad := range []string{"", strings.Repeat("a", rule.MaxName+1),
		strings.Repeat("a.", rule.MaxLabels) + "a"} {
		s.content.Names = []Name{{Text: bad}}
		if _, err := Write(nil, s.content); err != errTooLarge {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Names that all have one hash fill one page and no more.
func TestNamesOneHash(t *testing.T) {
	long := strings.Repeat("a", 63) + "."
	var names []hashedName
	for range 100 {
		names = append(names, hashedName{1 << 63, &Name{Text: long}})
	}
	for _, pages := range []uint32{1, 2, 1000, maxPages} {
		table := nameTable{pages: pages}
		if table.holds(names) || !table.holds(names[:bodySize/names[0].size()]) {
			t.Errorf("%d pages", pages)
		}
	}
}

// TestNamesLies: a page of names that is whole, and yet none that Write writes, says nothing, and
// nothing is read beyond it.
func TestNamesLies(t *testing.T) {
	s := newSample(t, 50)
	whole := s.bytes()
	h, why := (*page)(whole).readHeader(int64(len(whole)))
	if why != "" || h.names.pages != 1 {
		t.Fatal(why, h)
	}
	first := func(p *page) []byte { return p[headSize:] }
	for name, change := range map[string]func(p *page, h *head){
		"kind":   func(_ *page, h *head) { h.kind = v6Page },
		"number": func(_ *page, h *head) { h.number-- },
		"length": func(p *page, _ *head) { first(p)[ruleSize] = 255 },
		"short":  func(p *page, _ *head) { first(p)[ruleSize] = 1 },
		"none":   func(p *page, _ *head) { first(p)[ruleSize] = 0 },
		"count":  func(p *page, h *head) { h.count = 65535; clear(p[headSize:]) },
		"full": func(p *page, h *head) {
			h.count = 65535
			for i := range bodySize {
				p[headSize+i] = 1
			}
		},
		"beyond": func(p *page, h *head) {
			h.count = 65535
			for i := range bodySize {
				p[headSize+i] = 255
			}
		},
		"no entry": func(_ *page, h *head) { h.count = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			s.TB = t
			b := append([]byte{}, whole...)
			p := (*page)(b[int(h.names.at)*pageSize:])
			of := p.head()
			change(p, &of)
			p.seal(of)
			s.put(b)
			c := s.open()
			for i := range 50 {
				client, want := s.nthName(i)
				if m, _ := c.MatchName(client); m != want && m != (rule.Match{}) {
					t.Errorf("%s: %+v", client, m)
				}
			}
		})
	}
	for name, change := range map[string]func(b []byte){
		"access":           func(b []byte) { b[11] = 3 },
		"file":             func(b []byte) { b[8] = 1 },
		"limits":           func(b []byte) { put32(b, 51) },
		"decides: nothing": func(b []byte) { b[10] = 0 },
		"decides: more":    func(b []byte) { b[10] = b[ruleSize] + 1 },
		"decides: a part":  func(b []byte) { b[10] = uint8(len("ost1.example.org")) },
	} {
		t.Run(name, func(t *testing.T) {
			s.TB = t
			b := append([]byte{}, whole...)
			p := (*page)(b[int(h.names.at)*pageSize:])
			at := strings.Index(string(p[:]), "host1.example.org")
			change(p[at-nameHead:])
			p.seal(p.head())
			s.put(b)
			c := s.open()
			m, err := c.lookupName(&c.header.names, "host1.example.org")
			if err == nil || m != (rule.Match{}) {
				t.Errorf("%+v, %v", m, err)
			}
		})
	}
}

// The header does not lead beyond the file.
func TestNamesHeaderLies(t *testing.T) {
	s := newSample(t, 50)
	whole := s.bytes()
	h, _ := (*page)(whole).readHeader(int64(len(whole)))
	for name, change := range map[string]func(n *nameTable){
		"at":     func(n *nameTable) { n.at = h.pages },
		"zero":   func(n *nameTable) { n.at = 0 },
		"pages":  func(n *nameTable) { n.pages = 2 },
		"wrap":   func(n *nameTable) { n.pages = -n.at + 1 },
		"labels": func(n *nameTable) { n.labels = rule.MaxLabels + 1 },
	} {
		b, changed := append([]byte{}, whole...), h
		change(&changed.names)
		p := (*page)(b)
		p.putHeader(changed)
		p.seal(p.head())
		s.put(b)
		client, _ := s.nth(0, v4)
		if _, err := s.match(client); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
