package guard

import (
	"net/netip"
	"strings"
	"testing"

	"sendwrap/wrapper/milter"
)

// macrosFor are macros as an MTA sends them; pairs are names and values.
func macrosFor(pairs ...string) milter.Macros {
	return milter.Macros(milter.Packet(milter.Rcpt, pairs...)[1:])
}

func TestClientOf(t *testing.T) {
	const port = 40000
	type m = []string
	for _, c := range []struct {
		name   string
		family byte
		addr   string // in the connect packet
		macros m
		want   string // "" is none
	}{
		{"IPv4", milter.IPv4, "192.0.2.9", nil, "192.0.2.9"},
		{"IPv6 as Postfix writes it", milter.IPv6, "2001:db8::9", nil, "2001:db8::9"},
		{"IPv6 as sendmail writes it, and its macro", milter.IPv6, "IPv6:2001:db8:0:0:0:0:0:9",
			m{"{client_addr}", "IPv6:2001:db8:0:0:0:0:0:9"}, "2001:db8::9"},
		{"and without that macro", milter.IPv6, "IPv6:0:0:0:0:0:0:0:1",
			m{"_", "localhost [IPv6:0:0:0:0:0:0:0:1]"}, "::1"},
		{"compressed", milter.IPv6, "IPv6:::1", m{"{client_addr}", "IPv6:::1"}, "::1"},
		{"lower case", milter.IPv6, "", m{"{client_addr}", "ipv6:::1"}, "::1"},
		{"may be forged", milter.IPv4, "", m{"_", "mail.example [192.0.2.9] (may be forged)"},
			"192.0.2.9"},
		{"ident and no name", milter.IPv4, "", m{"_", "user@[192.0.2.9]"}, "192.0.2.9"},
		{"an ident answer that would have somebody else blocked", milter.IPv6, "",
			m{"_", "x[192.0.2.1]y@host [IPv6:2001:db8::9]"}, "2001:db8::9"},
		{"no bracket", milter.IPv4, "", m{"_", "192.0.2.9"}, ""},
		{"a macro that is garbage, and another", milter.IPv4, "",
			m{"{client_addr}", "unknown", "_", "[192.0.2.9]"}, "192.0.2.9"},
		{"the packet is believed first", milter.IPv4, "192.0.2.9", m{"{client_addr}", "192.0.2.10"},
			"192.0.2.9"},
		{"IPv4-mapped", milter.IPv6, "::ffff:192.0.2.9", nil, "192.0.2.9"},
		{"IPv4-mapped as sendmail writes it", milter.IPv6, "",
			m{"{client_addr}", "IPv6:::ffff:192.0.2.9"}, "192.0.2.9"},
		{"a zone", milter.IPv6, "", m{"{client_addr}", "fe80::1%eth0"}, "fe80::1"},
		{"a zone behind the prefix", milter.IPv6, "", m{"{client_addr}", "IPv6:fe80::1%2"},
			"fe80::1"},

		{"a local client", 'L', "/run/x", m{"{client_addr}", "192.0.2.9"}, ""},
		{"sendmail -bs at a terminal", 'U', "",
			m{"_", "root@localhost", "{client_addr}", "127.0.0.1"}, ""},
		{"a family that there is not", 0, "192.0.2.9", nil, ""},
		{"nothing", milter.IPv4, "", nil, ""},
		{"empty macros", milter.IPv4, "", m{"{client_addr}", "", "_", ""}, ""},
		{"no address", milter.IPv6, "IPv6:", m{"{client_addr}", "IPv6:", "_", "[IPv6:]"}, ""},
		{"a bracket that is not closed", milter.IPv4, "", m{"_", "x [192.0.2.9"}, "192.0.2.9"},
		{"brackets the wrong way", milter.IPv4, "", m{"_", "]192.0.2.9["}, ""},
		{"prefix twice", milter.IPv6, "", m{"{client_addr}", "IPv6:IPv6:::1"}, ""},
		{"a blank", milter.IPv4, "", m{"{client_addr}", " 192.0.2.9"}, ""},
		{"a network", milter.IPv4, "", m{"{client_addr}", "192.0.2.0/24"}, ""},
		{"a number", milter.IPv4, "", m{"{client_addr}", "3221225993"}, ""},
		{"octal", milter.IPv4, "", m{"{client_addr}", "192.0.2.010"}, ""},
	} {
		got, ok := clientOf(milter.Client{Family: c.family, Port: port, Address: c.addr},
			macrosFor(c.macros...))
		if ok != (c.want != "") || ok && got != netip.AddrPortFrom(netip.MustParseAddr(c.want),
			port) {
			t.Errorf("%s: %v %v; want %q", c.name, got, ok, c.want)
		}
	}
}

func TestRejected(t *testing.T) {
	for _, c := range []struct {
		name                 string
		mailer, host, reason string
		why                  string
		permanent            bool
	}{
		{"taken by sendmail", "local", "", "root", "", false},
		{"taken for another host", "esmtp", "mx.example.org", "root@example.org", "", false},
		{"taken by Postfix", "smtp", "5.1.1", "550 5.1.1 looks like a rejection", "", false},
		{"no macros", "", "", "", "", false},
		{"a mailer of another name", "errors", "5.1.1", "", "", false},

		{"sendmail", "error", "5.1.1", "550 5.1.1 User unknown", "5.1.1 550 5.1.1 User unknown",
			true},
		{"Postfix", "error", "5.1.1", "<x@mx.test>: Recipient address rejected: User unknown",
			"5.1.1 <x@mx.test>: Recipient address rejected: User unknown", true},
		{"a status alone", "error", "5.7.1", "", "5.7.1", true},
		{"a text alone", "error", "", "550 User unknown", "550 User unknown", true},
		{"a status of many digits", "error", "5.123.456", "", "5.123.456", true},

		// sendmail 8.17 names the user himself for an unknown user+detail.
		{"user+detail", "error", "", "nobody+x", "nobody+x", true},
		{"user+detail that begins with a 4", "error", "", "4nobody+x", "4nobody+x", true},
		{"user+detail that begins with a code", "error", "", "450+x", "450+x", true},
		{"numbers that are no codes", "error", "45", "4500", "45 4500", true},
		{"numbers that are no status", "error", "4.x.y", "4.2", "4.x.y 4.2", true},
		{"a host that begins with a 4", "error", "4.example.org", "bob", "4.example.org bob", true},

		{"put off by sendmail", "error", "4.3.0", "451 4.3.0 Temporary failure",
			"4.3.0 451 4.3.0 Temporary failure", false},
		{"put off by Postfix", "error", "4.2.0",
			"<x@mx.test>: Recipient address rejected: Greylisted",
			"4.2.0 <x@mx.test>: Recipient address rejected: Greylisted", false},
		{"a text of class 4 alone", "error", "", "450 later", "450 later", false},
		{"a code alone, or a user's name", "error", "", "452", "452", true},
		{"a status alone, or a user's name", "error", "", "4.1.1", "4.1.1", true},
		{"a status of class 4 in the text", "error", "", "4.2.2 full", "4.2.2 full", false},
		{"a status of class 5 with a code of class 4", "error", "5.1.1", "450 later",
			"5.1.1 450 later", false},
		{"a status of class 4 with a code of class 5", "error", "4.2.1", "550 no", "4.2.1 550 no",
			false},

		// Without a reason it is not known to be permanent.
		{"no reason", "error", "", "", "no reason given", false},
		{"blanks", "error", " ", "  ", "no reason given", false},
	} {
		why, permanent := rejected(macrosFor(macroMailer, c.mailer, macroStatus, c.host,
			macroReason, c.reason))
		if why != c.why || permanent != c.permanent {
			t.Errorf("%s: %q %v; want %q %v", c.name, why, permanent, c.why, c.permanent)
		}
	}
}

// No input makes it panic; the address has no zone and is unmapped, or there is none.
func FuzzClientOf(f *testing.F) {
	f.Fuzz(func(t *testing.T, addr, relay string) {
		got, ok := clientOf(milter.Client{Family: milter.IPv6, Address: addr},
			macrosFor(macroRelay, relay))
		if ip := got.Addr(); ok && (!ip.IsValid() || ip.Zone() != "" || ip.Is4In6()) {
			t.Errorf("%q, %q: %v", addr, relay, got)
		}
		why, permanent := rejected(macrosFor(macroMailer, "error", macroStatus, addr, macroReason,
			relay))
		if why == "" || permanent && strings.TrimSpace(addr)+strings.TrimSpace(relay) == "" {
			t.Errorf("%q, %q: %q %v", addr, relay, why, permanent)
		}
	})
}
