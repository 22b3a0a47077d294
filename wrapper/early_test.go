package wrapper

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestKindOf(t *testing.T) {
	tests := []struct {
		text string
		more int // bytes that wait behind the text
		want string
	}{
		{"EHLO bot.example\r\n", 0, "ehlo"},
		{"helo bot\n", 0, "ehlo"},
		{"EHLO", 0, "ehlo"}, // the rest is under way
		{"EHLO bot\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n", 0, "pipelined"},
		{"EHLO " + strings.Repeat("x", 123), 4000, "ehlo"},
		{"EHLO bot\r\n", 900, "pipelined"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 0, "tls"},
		{"\x16\x03\x01", 500, "tls"},
		{"GET / HTTP/1.1\r\nHost: mx\r\n\r\n", 0, "http"},
		{"POST /x HTTP/1.0\r\n", 0, "http"},
		{"CONNECT mx.example:25 HTTP/1.1\r\n\r\n", 0, "http"},
		{"PROXY TCP4 192.0.2.1 198.51.100.5 4000 25\r\n", 0, "proxy"},
		{"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", 0, "proxy"},
		{"\r\n", 0, "other"},
		{"QUIT\r\n", 0, "other"},
		{"SSH-2.0-OpenSSH_9.2\r\n", 0, "other"},
		{"\x00", 0, "other"},
		{"", 0, "other"},
		{"EHLOX y\r\n", 0, "other"},
	}
	for _, tt := range tests {
		if got := kindOf([]byte(tt.text), len(tt.text)+tt.more).String(); got != tt.want {
			t.Errorf("kindOf(%q, +%d) = %q, want %q", tt.text, tt.more, got, tt.want)
		}
	}
}

// kindRules say the same as kindOf in another way: the first pattern that matches decides. A
// pattern is for all that waits, of which kindOf may see only the beginning.
var kindRules = []struct{ kind, form string }{
	{"tls", `^\x16\x03.`},
	{"proxy", `^\r\n\r\n\x00\r\nQUIT\n`},
	{"proxy", `(?i:^PROXY)( |\r*\n|\r*$)`},
	{"http", `^[^\n]* HTTP/`},
	{"http", `(?i:^CONNECT)( [^\n]*|\r*)\n`},
	{"pipelined", `^[^\n]*\n.`},
	{"ehlo", `(?i:^(EHLO|HELO))( |\r*\n|\r*$)`},
	{"other", ``},
}

func FuzzKindOf(f *testing.F) {
	f.Add([]byte("EHLO x\r\n"), 0)
	var forms []*regexp.Regexp
	for _, rule := range kindRules {
		forms = append(forms, regexp.MustCompile(`(?s)`+rule.form))
	}
	f.Fuzz(func(t *testing.T, text []byte, more int) {
		text, more = text[:min(len(text), earlyText)], max(0, more)
		seen := text
		if more > 0 && bytes.Contains(text, []byte("\n")) {
			seen = append(bytes.Clone(text), 'x') // out of sight, behind the first line
		}
		var want string
		for i, rule := range kindRules {
			if forms[i].Match(seen) {
				want = rule.kind
				break
			}
		}
		if kind := kindOf(text, len(text)+more).String(); kind != want {
			t.Errorf("kindOf(%q, +%d) = %q; want %q", text, more, kind, want)
		}
	})
}
