package policy

import (
	"net/netip"
	"testing"
)

// TestLies: pages that are whole, and yet no tree that Write writes, are an error where a client is
// looked up in them.
func TestLies(t *testing.T) {
	s := newSample(t, 700)
	whole := s.bytes()
	h, why := (*page)(whole).readHeader(int64(len(whole)))
	if why != "" || h.v4.levels != 2 {
		t.Fatal(why, h)
	}
	rootPage, leaf := int(h.v4.at), int(h.v4.at)+1
	size := v4.leafSize()
	entry := func(p *page, i int) []byte { return p[headSize+i*size:][:size] }
	for name, tt := range map[string]struct {
		page   int
		change func(p *page, h *head)
	}{
		"root: order": {rootPage, func(p *page, _ *head) {
			put32(p[headSize+4*4:], get32(p[headSize+3*4:]))
		}},
		"root: first key":      {rootPage, func(p *page, _ *head) { put32(p[headSize:], 1) }},
		"root: child before":   {rootPage, func(_ *page, h *head) { h.child = h.number }},
		"root: child of other": {rootPage, func(_ *page, h *head) { h.child++ }},
		"root: child far":      {rootPage, func(_ *page, h *head) { h.child = 1<<32 - 1 }},
		"root: level":          {rootPage, func(_ *page, h *head) { h.level = 0 }},
		"root: no entry":       {rootPage, func(_ *page, h *head) { h.count = 0 }},
		"root: kind":           {rootPage, func(_ *page, h *head) { h.kind = v6Page }},
		"leaf: order": {leaf, func(p *page, _ *head) {
			put32(entry(p, 200), get32(entry(p, 100)))
		}},
		"leaf: beyond": {leaf, func(p *page, h *head) {
			put32(entry(p, int(h.count)-1), 1<<31) // the next leaf begins before
		}},
		"leaf: count":     {leaf, func(_ *page, h *head) { h.count = 65535 }},
		"leaf: access":    {leaf, func(p *page, _ *head) { entry(p, 1)[v4.keySize+11] = 3 }},
		"leaf: bits":      {leaf, func(p *page, _ *head) { entry(p, 1)[v4.keySize+10] = 33 }},
		"leaf: file":      {leaf, func(p *page, _ *head) { entry(p, 1)[v4.keySize+8] = 1 }},
		"leaf: reply":     {leaf, func(p *page, _ *head) { entry(p, 1)[v4.keySize+12] = 1 }},
		"leaf: limits":    {leaf, func(p *page, _ *head) { put32(entry(p, 1)[4:], 701) }},
		"limits: unknown": {int(h.limitsAt), func(p *page, _ *head) { p[headSize+3] = 0x80 }},
		"limits: negative": {int(h.limitsAt), func(p *page, _ *head) {
			put64(p[headSize+setSize:], 1<<63)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s.TB = t
			b := append([]byte{}, whole...)
			p := (*page)(b[tt.page*pageSize:])
			of := p.head()
			tt.change(p, &of)
			p.seal(of)
			s.put(b)
			client, _ := s.nth(0, v4)
			if m, err := s.match(client); err == nil {
				t.Errorf("%v: %+v", client, m)
			}
			client = client.Prev() // 0.0.0.0, on the same pages
			if m, err := s.match(client); tt.page == rootPage && err == nil {
				t.Errorf("%v: %+v", client, m)
			}
		})
	}
}

// A rule whose network does not hold all of its range is an error for each client of the range.
func TestLiesNarrow(t *testing.T) {
	s := newSample(t, 700)
	b := s.bytes()
	h, _ := (*page)(b).readHeader(int64(len(b)))
	p := (*page)(b[int(h.v6.at-1)*pageSize:]) // the last leaf
	of := p.head()
	at := p[headSize+(int(of.count)-2)*v4.leafSize():]
	copy(at[v4.leafSize()+v4.keySize:][:ruleSize], at[v4.keySize:]) // of one address, for the rest
	p.seal(of)
	s.put(b)
	for _, client := range []netip.Addr{v4.addr(key{lo: 1400}), v4.addr(v4.last())} {
		if m, err := s.match(client); err == nil {
			t.Errorf("%v: %+v", client, m)
		}
	}
	client, want := s.nth(699, v4)
	if m, err := s.match(client); m != want {
		t.Errorf("%v: %+v, %v; want %+v", client, m, err, want)
	}
}
