package rule

import (
	"strings"
	"testing"
)

func TestNormalName(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 61)
	if len(long) != MaxName {
		t.Fatal(len(long))
	}
	for s, want := range map[string]string{
		"mail.example.org": "mail.example.org", "MAIL.Example.ORG.": "mail.example.org",
		"localhost": "localhost", "a_b.-c.d-": "a_b.-c.d-", "1.2.3.4": "1.2.3.4",
		strings.Repeat("a", 63): strings.Repeat("a", 63), long: long, long + ".": long,

		strings.Repeat("a", 64): "", long + "b": "", "": "", ".": "", "..": "", ".a": "",
		".example.org": "", "a..b": "", "a.b..": "", "a b": "", "a.b\x00": "", "ä.example": "",
		"a/b": "", "a*": "", "a.b\n": "", "[::1]": "", "a:b": "",
	} {
		if got, ok := NormalName(s); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", s, got, ok, want)
		}
	}
}

func TestWiderName(t *testing.T) {
	for name, want := range map[string]string{
		"mail.example.org": ".example.org .org", ".a.b": ".b", "localhost": "", ".org": "", "x": "",
	} {
		got := ""
		for wider := WiderName(name); wider != ""; wider = WiderName(wider) {
			got += " " + wider
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%q: %q; want %q", name, got, want)
		}
	}
	for name, want := range map[string]int{"a": 1, ".a": 1, "a.b": 2, ".a.b.c": 3} {
		if got := Labels(name); got != want {
			t.Errorf("%q: %d labels; want %d", name, got, want)
		}
	}
}

// Or: a network beats a name, and the limits of both hold, those of networks first.
func TestOr(t *testing.T) {
	var few, many, both Limits
	few.SetCount(ClientConns, 1)
	many.SetCount(ClientConns, 9)
	many.SetCount(MaxRcpts, 9)
	both.SetCount(ClientConns, 1)
	both.SetCount(MaxRcpts, 9)
	at := Source{"f", 1}
	byName := Match{Access: Deny, Name: ".example.org", Source: at, Limits: many}
	for _, tt := range []struct{ m, want Match }{
		{Match{}, byName},
		{Match{Limits: few}, Match{Access: Deny, Name: ".example.org", Source: at, Limits: both}},
		{Match{Access: Allow, Source: Source{"g", 2}},
			Match{Access: Allow, Source: Source{"g", 2}, Limits: many}},
	} {
		if got := tt.m.Or(byName); got != tt.want {
			t.Errorf("%+v: %+v; want %+v", tt.m, got, tt.want)
		}
	}
	if got := byName.Subject(); got != ".example.org" {
		t.Errorf("decided by %s", got)
	}
}
