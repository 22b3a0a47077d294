package policy

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

// sample is a policy of a file with this number of networks of each family, every second address a
// network of one, and as many names. client is one of them; the file is settled.
type sample struct {
	testing.TB
	path, file string
	content    *Content
	settings   Settings
}

// newSample writes a policy whose ranges are networks of one, with gaps between them. Every third
// of its names holds the names below it, every fifth is decided by the name above it.
func newSample(t testing.TB, networks int, warnings ...string) *sample {
	t.Helper()
	dir := t.TempDir()
	s := &sample{TB: t, path: filepath.Join(dir, "policy"), file: filepath.Join(dir, "conf")}
	if err := os.WriteFile(s.file, []byte("# x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.settings = Default()
	s.settings.Lists = []dnsbl.List{{Zone: "k.example", Name: "a", URL: "https://a.example/",
		Sites: []dnsbl.Site{{Filter: "127.0.0.2", Weight: 2}, {Weight: -1}}}, {Zone: "b"}}
	s.settings.Resolvers = []netip.AddrPort{netip.MustParseAddrPort("[fe80::1%eth0]:53")}
	s.content = &Content{Settings: &s.settings, Warnings: warnings}
	s.content.V4 = []Range{{}}
	s.content.V6 = []Range{{}}
	var limits rule.Limits
	for i := range networks {
		limits.SetRate(rule.Key(i%keys), rule.Rate{N: i, Per: time.Duration(i)})
		s.content.Limits = append(s.content.Limits, limits)
		r := Rule{Limits: uint32(i + 1), Line: uint32(i + 1), Access: rule.Deny - rule.Access(i%2)}
		at := uint64(2*i + 1)
		r.Bits = 32
		s.content.V4 = append(s.content.V4, Range{0, at, r}, Range{0, at + 1, Rule{}})
		r.Bits = 128
		s.content.V6 = append(s.content.V6, Range{at, at, r}, Range{at, at + 1, Rule{}})
		name := nameOf(i)
		if r.Bits = uint8(len(name)); i%5 == 4 {
			r.Bits = uint8(len(".example.org"))
		}
		s.content.Names = append(s.content.Names, Name{name, r})
	}
	s.content.NameKey = [2]uint64{uint64(networks), 1 << 40}
	s.write()
	return s
}

// nth is the client of network n, and what holds for it.
func (s *sample) nth(n int, f family) (netip.Addr, rule.Match) {
	k := key{lo: uint64(2*n + 1)}
	if f == v6 {
		k.hi = k.lo
	}
	client := f.addr(k)
	return client, rule.Match{
		Access: rule.Deny - rule.Access(n%2), Network: netip.PrefixFrom(client, f.bits()),
		Source: rule.Source{File: s.file, Line: n + 1}, Limits: s.content.Limits[n],
	}
}

// nameOf is name n of a sample.
func nameOf(n int) string {
	name := fmt.Sprintf("host%d.example.org", n)
	if n%3 == 0 {
		name = fmt.Sprintf(".zone%d.example.org", n)
	}
	return name
}

// nthName is a client's name that name n holds, and what holds for it.
func (s *sample) nthName(n int) (client string, m rule.Match) {
	client = nameOf(n)
	if client[0] == '.' {
		client = "mx.a" + client
	}
	m = rule.Match{
		Access: rule.Deny - rule.Access(n%2), Name: nameOf(n),
		Source: rule.Source{File: s.file, Line: n + 1}, Limits: s.content.Limits[n],
	}
	if n%5 == 4 {
		m.Name = ".example.org"
	}
	return client, m
}

// write writes the policy of the file as it is now.
func (s *sample) write() {
	s.Helper()
	s.content.Made = time.Now()
	s.content.Sources = []Source{{s.file, Look(s.file)}}
	s.put(s.bytes())
}

func (s *sample) bytes() []byte {
	s.Helper()
	var b bytes.Buffer
	n, err := Write(&b, s.content)
	if err != nil || n != int64(b.Len()) || n%pageSize != 0 {
		s.Fatalf("%d bytes of %d: %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func (s *sample) put(b []byte) {
	s.Helper()
	if err := os.WriteFile(s.path, b, 0o600); err != nil {
		s.Fatal(err)
	}
}

// open opens the policy for no client.
func (s *sample) open() *Compiled {
	s.Helper()
	c, err := Open(s.path, s.file, netip.Addr{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(c.Close)
	return c
}

// match asks for a client.
func (s *sample) match(client netip.Addr) (rule.Match, error) {
	c, err := Open(s.path, s.file, client)
	if err != nil {
		return rule.Match{}, err
	}
	defer c.Close()
	return c.Match(client), nil
}
