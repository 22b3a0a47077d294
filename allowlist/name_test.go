package allowlist

import (
	"strings"
	"testing"

	"sendwrap/allowlist/rule"
)

// TestParse: what a line can name, and what is offered for what it cannot.
func TestParse(t *testing.T) {
	const orName = "; write a network such as 192.0.2.0/24, or a name such as mail.example.org"
	const example = "mail.example.org, or .example.org for all names below it"
	const mistyped = "; write an address such as 192.0.2.1, or a name such as mail.example.org"
	labels := strings.Repeat("a.", rule.MaxLabels)
	for _, tt := range []struct{ text, want string }{
		{"mail.example.org", "mail.example.org"}, {".example.org", ".example.org"},
		{"Mail.EXAMPLE.org.", "mail.example.org"}, {".Example.ORG.", ".example.org"},
		{".com", ".com"}, {".localdomain", ".localdomain"}, {"a_b.c-", "a_b.c-"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"}, {"1.2.163.com", "1.2.163.com"},
		{"bad.cafe", "bad.cafe"}, {"12.example", "12.example"}, {".2.example", ".2.example"},
		{labels[2:] + "org", labels[2:] + "org"},
		{"." + labels[2:] + "org", "." + labels[2:] + "org"},
		{strings.Repeat("a", 63) + ".org", strings.Repeat("a", 63) + ".org"},
		{"192.0.2.0/24", "192.0.2.0/24"}, {"::", "::/128"}, {"cafe::", "cafe::/128"},

		{"*.example.org", `"*.example.org" is not a plain name; write .example.org`},
		{"*example.org", `"*example.org" is not a plain name; write .example.org`},
		{"*.Example.ORG.", `"*.Example.ORG." is not a plain name; write .example.org`},
		{"http://mail.example.org/x",
			`"http://mail.example.org/x" is not a plain name; write mail.example.org`},
		{"mail.example.org:25",
			`"mail.example.org:25" is not a plain name; write mail.example.org`},
		{"mail.example.org/24",
			`"mail.example.org/24" is not a plain name; write mail.example.org`},
		{"[mail.example.org]", `"[mail.example.org]" is not a plain name; write mail.example.org`},
		{"mail.*.org", `"mail.*.org" is a pattern; write .example.org for all names below ` +
			`example.org`},
		{"joe@example.org",
			`"joe@example.org" is a mail address; write the name of the host that sends, such as ` +
				example},
		{"@example.org",
			`"@example.org" is a mail address; write the name of the host that sends, such as ` +
				example},
		{"bücher.example",
			`"bücher.example" is not ASCII; write it as DNS has it, with xn--`},
		{"a!b.example",
			`'!' in the name "a!b.example"; write letters, digits, - and _ between dots`},
		{"mail..org", `empty label in "mail..org"; write a name such as ` + example},
		{"..example.org", `empty label in "..example.org"; write a name such as ` + example},
		{"mail.org..", `empty label in "mail.org.."; write a name such as ` + example},
		{strings.Repeat("a", 64) + ".org",
			`label of 64 bytes in "` + strings.Repeat("a", 64) + `.org"; write at most 63`},
		{labels + "org", `33 labels in "` + labels + `org"; write at most 32`},
		{"." + labels + "org", `33 labels in ".` + labels + `org"; write at most 32`},
		{"localhost", `"localhost" is neither a network nor a whole name` + orName},
		{"nonsense", `"nonsense" is neither a network nor a whole name` + orName},
		{"192.0.2.l", `"192.0.2.l" is neither an address nor a name` + mistyped},
		{"192.0.2.1O", `"192.0.2.1O" is neither an address nor a name` + mistyped},
		{"mail.example.1", `"mail.example.1" is neither an address nor a name` + mistyped},

		{"192.0.2.300", `"192.0.2.300" is not a network; write a network such as 192.0.2.0/24 or ` +
			`2001:db8::/32`},
		{"192.0.2.1/24", `host bits set in "192.0.2.1/24"; write 192.0.2.0/24 or 192.0.2.1`},
		{"192.0.2", `"192.0.2" is neither an address nor CIDR; write 192.0.2.0/24`},
		{"2001:db8:", `"2001:db8:" is neither an address nor CIDR; write 2001:db8::/32`},
		{"2001:db8::g", `"2001:db8::g" is not a network; write a network such as 192.0.2.0/24 or ` +
			`2001:db8::/32`},
		{"fe80::1%eth0", `zone in "fe80::1%eth0"; write fe80::1`},
		{"ALL", `"ALL" is not a network; write 0.0.0.0/0 ::/0`},
		{"a.example,b.example",
			`"a.example,b.example" is not one network; write blanks between networks`},
		{"a.example#x", `"a.example#x" is not a network; write a blank before the comment`},
		{"", `empty network; write a network such as 192.0.2.0/24`},
		{".", `"." is not a network; write a network such as 192.0.2.0/24 or 2001:db8::/32`},
	} {
		network, name, err := Parse(tt.text)
		got := name
		switch {
		case err != nil:
			got = err.Error()
		case name == "":
			got = network.String()
		case network.IsValid():
			t.Errorf("%q is both %v and %s", tt.text, network, name)
		}
		if got != tt.want {
			t.Errorf("%q\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
}

// TestLongNames: what cannot be in DNS is no name.
func TestLongNames(t *testing.T) {
	long := strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 57) + ".org"
	for _, tt := range []struct {
		text string
		ok   bool
	}{
		{long, true}, {long + ".", true}, {"b" + long[1:], true}, {long + "x", false},
		{"." + long[1:], true}, {"." + long, false}, {"." + strings.ToUpper(long[1:]), true},
		{"." + strings.ToUpper(long), false},
	} {
		name, err := ParseName(tt.text)
		if (err == nil) != tt.ok || len(name) > rule.MaxName {
			t.Errorf("%d bytes: %d bytes, %v", len(tt.text), len(name), err)
		}
	}
}

// FuzzParse: a text is a network, or a name, or an error for an administrator; and what is offered
// or guessed is right.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"mail.example.org", ".example.org.", "*.example.org", "*.", "*",
		"http://A.example:25/x", "a@b.c", "[a.b]:25", "192.0.2.l", ".1", "a..b", "::a.b", "1.a:2",
		strings.Repeat("a.", 40) + "b", "[[a.b", "*..a.b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		network, name, err := Parse(s)
		if guess := GuessName(s); guess != "" {
			if again, err := ParseName(guess); err != nil || again != guess {
				t.Fatalf("%q: guessed %q, which is %q, %v", s, guess, again, err)
			}
		}
		if err != nil {
			e, ok := err.(*Error)
			if !ok || e.Msg == "" || e.Hint == "" || len(e.Error()) > 800 ||
				strings.ContainsAny(e.Error(), "\r\n") {
				t.Fatalf("%q: no error for an administrator: %q", s, err)
			}
			return
		}
		if network.IsValid() == (name != "") {
			t.Fatalf("%q: %v and %q", s, network, name)
		}
		if p, err := ParseNetwork(s); p != network || (err == nil) != (name == "") {
			t.Fatalf("%q: ParseNetwork says %v, %v", s, p, err)
		}
		if name == "" {
			return
		}
		if again, err := ParseName(name); err != nil || again != name {
			t.Fatalf("%q is %q, which is %q, %v", s, name, again, err)
		}
		l, client := For(), name
		if err := l.SetNameAccess(name, rule.Deny, at(1)); err != nil {
			t.Fatal(err)
		}
		if name[0] == '.' {
			client = "a" + name
		}
		if m := l.MatchName(client); len(client) <= rule.MaxName && m.Name != name {
			t.Fatalf("%q is %q, which does not match %q", s, name, client)
		}
	})
}
