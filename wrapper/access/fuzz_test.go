package access

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
)

// FuzzRead reads anything. Whatever it says of a client, a naive search for keys in the lines says
// too.
func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/corpus/*.access")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		// Go takes a minute for making a long input shorter.
		for lines := range slices.Chunk(strings.SplitAfter(string(text), "\n"), 3) {
			if part := strings.Join(lines, ""); len(part) < 300 {
				f.Add(part, "mx.partner.example")
			}
		}
	}
	f.Add("Connect:example.net SKIP\nnet REJECT\nClientRate: 5\nClientRate:IPv6 SKIP\n", "a.net")
	f.Add("connect:10\x00 OK", "")
	f.Fuzz(func(t *testing.T, text, name string) {
		m := Read(text)
		if len(m.Mistakes) > maxNotes+1 || len(m.Notes) > maxNotes+1 {
			t.Fatalf("%d mistakes, %d notes", len(m.Mistakes), len(m.Notes))
		}
		for _, n := range append(m.Mistakes, m.Notes...) {
			if n.Msg == "" || n.Hint == "" || n.Line > 1+strings.Count(text, "\n") {
				t.Errorf("%+v", n)
			}
		}
		// Of a text with these, the search below knows nothing.
		isNaive := !strings.ContainsAny(text, "/?\x00%")
		if !hasLetters(name) {
			name = ""
		}
		db := naive(text)
		for i, e := range m.Entries() {
			check(t, e)
			if isNaive && i < 50 {
				for _, c := range []client{{e.Network.Addr(), ""}, {lastOf(e.Network), name},
					{netip.MustParseAddr("10.1.2.3"), e.Name},
					{netip.MustParseAddr("2001:db8::1"), "a." + e.Name}} {
					c.name = strings.TrimSuffix(c.name, ".")
					if c.addr.IsValid() && !c.addr.Is4In6() {
						compare(t, m, db, c)
					}
				}
			}
		}
	})
}

// hasLetters reports whether a fuzzed name can be one of DNS.
func hasLetters(name string) bool {
	s, ok := parseSubject(name)
	return ok && s.name != ""
}

// check checks what holds for each entry.
func check(t *testing.T, e Entry) {
	v := e.Value
	reply := v.Kind == Text && len(v.Reply) >= 10 && len(v.Reply) <= rule.MaxReply &&
		isCode(v.Reply[:3]) && strings.Trim(v.Reply, printable()) == ""
	number := v.Kind == Number && v.N >= 0 && v.N <= maxNumber
	switch {
	case e.Network.IsValid() == (e.Name != ""),
		e.Network.IsValid() && e.Network != e.Network.Masked(),
		e.Name != "" && (!e.Tag.hasNames() || e.Unresolved || e.Name != lower(e.Name)),
		e.Unresolved && !e.Tag.hasNames(), e.Line < 1, e.Key == "",
		v.Kind == Nothing, v.Kind == Text && !reply, v.Kind == Number && !number,
		v.Kind == Number && e.Tag == Connect,
		(v.Kind == Text || v.Kind == OK || v.Kind == Reject) && e.Tag != Connect:
		t.Errorf("%+v", e)
	}
}

func printable() string {
	var b strings.Builder
	for c := byte(' '); c <= '~'; c++ {
		b.WriteByte(c)
	}
	return b.String()
}

func lastOf(p netip.Prefix) netip.Addr {
	if !p.IsValid() {
		return netip.Addr{}
	}
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// naive is what makemap makes of a text: the value of each key.
func naive(text string) map[string]string {
	db := map[string]string{}
	for text := range strings.Lines(text) {
		text = strings.TrimRight(text, "\n")
		i := strings.IndexAny(text, " \t\v\f\r")
		if i <= 0 || text[0] == '#' || len(text) > 1022 {
			continue
		}
		key, value := lower(text[:i]), strings.Trim(text[i:], " \t\v\f\r")
		_, isTag := tagOf(key)
		if _, found := db[key]; !found && len(tokens(value)) > 0 && !isSplitKey(key, value) &&
			!(isTag && new(reader).noteMisspelt(line{key: key, value: value})) {
			db[key] = value
		}
	}
	return db
}

// isSplitKey reports whether a blank stands within a key: of "ClientRate: 10.1.2.3 5" makemap makes
// 10 for everybody, and we take no such line.
func isSplitKey(key, value string) bool {
	words := strings.FieldsFunc(value, isBlank)
	if !strings.HasSuffix(key, ":") || len(words) < 2 || isDigits(words[0]) {
		return false
	}
	_, ok := parseSubject(lower(words[0]))
	return ok
}

// search looks for a tag with these keys, one after the other.
func search(db map[string]string, tag Tag, keys []string) string {
	for _, key := range keys {
		value, ok := db[lower(tag.String()+":"+key)]
		if !ok && tag == Connect {
			value, ok = db[lower(key)]
		}
		if ok {
			if words := tokens(value); len(words) == 1 && lower(words[0]) == "skip" {
				return ""
			}
			return value
		}
	}
	return ""
}

// shortened are a key and what is left as parts go, on one side.
func shortened(key, separator string, fromFront bool) (all []string) {
	for {
		all = append(all, key)
		i := strings.LastIndex(key, separator)
		if fromFront {
			i = strings.Index(key, separator)
		}
		if i < 0 {
			return all
		}
		if fromFront {
			key = key[i+1:]
		} else {
			key = key[:i]
		}
	}
}

func compare(t *testing.T, m *Map, db map[string]string, c client) {
	t.Helper()
	separator := "."
	if c.addr.Is6() {
		separator = ":"
	}
	addresses := shortened(c.written(), separator, false)
	names := shortened(c.name, ".", true)
	if c.name == "" {
		names = nil
		for _, key := range addresses {
			names = append(names, "["+key+"]")
		}
	}
	found := m.Look(c.addr, c.names()...)
	for tag := range Tags {
		value := ""
		if tag.hasNames() {
			value = search(db, tag, names)
		}
		if value == "" {
			value = search(db, tag, addresses)
		}
		if value == "" && !tag.hasNames() {
			value = db[lower(tag.String()+":")]
		}
		want, _ := parseValue(line{tag: tag, value: value})
		if want.Kind == Skip { // of the tag alone
			want = Value{Kind: Number}
		}
		if value == "" {
			want = Value{}
		}
		if found[tag].Value != want {
			t.Errorf("%v %v: %+v; want %q, %+v", c, tag, found[tag], value, want)
		}
	}
}
