package config

import (
	"errors"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// loadWrong reads a file with a mistake. inEffect is what applies instead, according to the errors.
func loadWrong(t *testing.T, text string) (c *Config, inEffect string) {
	t.Helper()
	c, err := Load(write(t, text), allowlist.All())
	var all *multierror.Error
	if !errors.As(err, &all) {
		t.Fatalf("%q: %v; want mistakes", text, err)
	}
	for _, e := range all.Errors {
		if h := e.(*Error).InEffect; h != "" {
			inEffect += strings.ReplaceAll(h, ", ", "\n") + "\n"
		}
	}
	return c, inEffect
}

// same reports whether two configurations are equal, and what they say about the client.
func same(a, b *Config) bool {
	x, y := *a, *b
	m, n := a.Networks.Match(client), b.Networks.Match(client)
	k, l := a.Networks.MatchName("mx.example.org"), b.Networks.MatchName("mx.example.org")
	x.Networks, y.Networks, m.Source, n.Source = nil, nil, rule.Source{}, rule.Source{}
	k.Source, l.Source = rule.Source{}, rule.Source{}
	x.Files, y.Files, x.Sources, y.Sources, x.lines, y.lines = nil, nil, nil, nil, nil, nil
	x.listPlaces, y.listPlaces = listPlaces{}, listPlaces{}
	return reflect.DeepEqual(x, y) && m == n && k == l
}

// setsNothing expects the defaults after a wrong line, except for what its error names.
func setsNothing(t *testing.T, text string) {
	t.Helper()
	got, inEffect := loadWrong(t, text)
	if strings.HasPrefix(text, "client ") {
		return // right keys are set: see TestLenient
	}
	want, errs := load(t, inEffect)
	if errs != nil || !same(got, want) {
		t.Errorf("%.200q\n got %+v\nwant the default and %q %s", text, got, inEffect, errs)
	}
}

// TestLenient: a wrong line of any directive is never stricter than its possible meanings. If the
// default would be, something more lenient applies, and the error names it.
func TestLenient(t *testing.T) {
	// It is unclear which client is meant.
	const anybody = "on_pregreet tempfail\non_denied close\nblock off kill=off\n" +
		"on_listed tempfail"
	seen, empty := map[string]bool{}, write(t, "")
	for _, tt := range []struct{ text, want string }{
		{"mta sendmail -bs", ""}, {"mta_stderr log", ""},
		{"greet_delay 5", ""}, {"greet_delay five", ""}, {"greet_delay 10s stress=12s", ""},
		{"greet_delay: 5s", ""},
		{"greet_delay off", "greet_delay 0s"}, {"greet_delay None", "greet_delay 0s"},
		{"greet_delay 0 s", "greet_delay 0s"},
		{"greet_delay 0sec", "greet_delay 0s"}, {"greet_delay=0", "greet_delay 0s"},
		{"Greet_Delay 0", "greet_delay 0s"},
		{"greet_delay 6s\ngreet_delay 0", "greet_delay 0s"},
		{"greet_delay 1m\ngreet_delay 2m", "greet_delay 1m"},
		{"teaser x\nteaser off", "teaser off"}, {"teaser grüß", "teaser off"},
		{"on_pregreet defer", "on_pregreet tempfail"},
		{"on_pregreet Observe", "on_pregreet tempfail observe"},
		{"on_pregreet defer observe", "on_pregreet tempfail observe"},
		{"on_pregreet reject\non_pregreet observe", "on_pregreet tempfail observe"},
		{"on_pregret observe", "on_pregreet tempfail observe"},
		{"on_pregreet drop\non_pregreet reject", "on_pregreet tempfail"},
		{"on_pregreet reject\non_pregreet reject", ""},
		{"on_denied tlak", ""}, {"on_denied talk\non_denied close", "on_denied close"},

		{"allow 192.0.2.77/24", "allow 192.0.2.0/24"},
		{"allow 192.0.2.0/255.255.255.0", "allow 192.0.2.0/24"},
		{"allow 192.0.2", "allow 192.0.2.0/24"}, {"allow [192.0.2.1]:25", "allow 192.0.2.1"},
		{"allow any", "allow 0.0.0.0/0 ::/0"},
		{"allow ::ffff:192.0.2.0/120", "allow 192.0.2.0/24"},
		{"allow 192.0.2.1,192.0.2.7", "allow 192.0.2.1 192.0.2.7"},
		{"allow ::ffff:192.0.2.77/24", "allow 192.0.2.0/24"},
		{"allow ::ffff:192.0.2.1/64", "allow 192.0.2.1"},
		{"allow mx", anybody}, {"allow 192.0.2.300", anybody}, {"allow x@example.org", anybody},
		{"allow *.example.org", "allow .example.org"},
		{"allow http://mx.example.org/", "allow mx.example.org"},
		{"deny .example.org\nallow .example.org", "allow .example.org"},
		{"deny *.example.org", ""},
		{"allow 192.0.2.1 \"", "allow 192.0.2.1\n" + anybody},
		{"allow", anybody}, {"allow: 192.0.2.1", anybody}, {"alow 192.0.2.1", anybody},
		{"allow\u00a0192.0.2.1", anybody},
		{"allow 192.0.2.1/33", anybody}, {"ALLOW 192.0.2.1", anybody},
		{"allow 192.0.2.1, mx", "allow 192.0.2.1\n" + anybody},
		{"client .example.org bad_rcpts=0", anybody},
		{"deny 192.0.2.0/24\nallow 192.0.2.0/24", "allow 192.0.2.0/24"},
		{"allow 192.0.2.0/24\ndeny 192.0.2.0/24", "allow 192.0.2.0/24"},
		{"allow " + strings.Repeat("192.0.2.1 ", maxLine/10+1), anybody},
		{"deny 192.0.2.1/24", ""}, {"deny any", ""}, {"deny", ""}, {"deny: 192.0.2.1", ""},

		{"client 192.0.2.1 client_conns=none client_rate=9/1m",
			"client 192.0.2.1 client_conns=0 client_rate=9/1m"},
		{"client 192.0.2.1 greet_delay=20", ""},
		{"client 192.0.2.1 greet_delay=off", "client 192.0.2.1 greet_delay=0"},
		{"client 192.0.2.1 bad_rcpts_percent=50%", "client 192.0.2.1 bad_rcpts_percent=100"},
		{"client 192.0.2.1 bad_rcpts=x bad_rcpts_total=10 max_rcpts=x max_resets=x " +
			"bad_rcpt_delay=x",
			"client 192.0.2.1 bad_rcpts=0 bad_rcpts_total=0 max_rcpts=0 max_resets=0 " +
				"bad_rcpt_delay=0"},
		{"client 192.0.2.1/24 client_conns=0", anybody}, {"client 192.0.2.1 clients=0", anybody},
		{"client 192.0.2.1", anybody},
		{"Client 192.0.2.1 client_conns=0", anybody},
		{"client 192.0.2.1 client_conns=1\nclient 192.0.2.1 client_conns=0",
			"client 192.0.2.1 client_conns=1\n" + anybody},

		{"access none", anybody}, {"access a.db", anybody}, {"access hash:a", anybody},
		{"access", anybody},
		{"acces a", anybody}, {"access " + empty + "\naccess " + empty, "access " + empty},

		{"client_rate 10", ""}, {"client_rate 1/1h\nclient_rate 0", "client_rate 0"},
		{"client_conns 1k", "client_conns 0"}, {"client_conns = 5", "client_conns 0"},
		{"client_con 100", "client_conns 0"},
		{"client_conns 5\nclient_conns 100", "client_conns 0"},
		{"client_conns 5\nclient_conns 5", "client_conns 5"},
		{"max_sessions 1k", ""}, {"max_idle 5", "max_idle 0s"}, {"max_idle off", "max_idle 0s"},
		{"max_waiting 1k", ""}, {"max_waiting 5 room=1k", ""}, {"spawn_rate 1k", ""},
		{"room_idle 5", ""},
		{"reserve 20", "reserve 0%"}, {"reserve off", "reserve 0%"}, {"reserve 91%", "reserve 0%"},
		{"reserve 20%\nreserve 5%", "reserve 0%"},
		{"refuse_load 4\nrefuse_load 0", "refuse_load 0"}, {"refuse_load x", ""},
		{"count_by 24", ""}, {"count_by /24 /56", ""},
		{"wide 24 48", ""}, {"wide 24 48 client_conns=x client_rate=1/1s", ""},
		{"wide 24 64 strikes=3\nwide 16 48 strikes=3", "wide 16 48 strikes=3"},
		{"nat64 2001:db8:64::1 2001:db8:65::/96", "nat64 2001:db8:65::/96"}, {"nat64", ""},
		{"remember never", ""}, {"remember 5", ""},
		{"remember_after message", ""}, {"remember_after mail\nremember_after wait",
			"remember_after mail"},
		{"remember_hangups 0", ""}, {"remember_hangups 3", ""},
		{"block of", "block off kill=off"}, {"block none", "block off kill=off"},
		{"block strikes=9", "block off kill=off"},
		{"block for=1s\nblock off", "block off kill=off for=1s"},
		{"block kill=no", "block off kill=off"},
		{"Block: strikes=5", "block off kill=off"},
		{"strikes_by_kind ehlo=none",
			"strikes_by_kind ehlo=0 pipelined=0 tls=0 http=0 proxy=0 other=0"},
		{"on_block /x\non_block off", ""}, {"on_block x", ""},

		{"dnsbl a.example b.example=x", "dnsbl a.example"},
		{"dnsbl_threshold 3\ndnsbl a.example b.example=x*-1",
			"dnsbl a.example\ndnsbl_threshold 0"},
		{"dnsbl_threshold 3\ndnsbl a.example*x", "dnsbl_threshold 0"},
		{"dnsbl_threshold 3\ndnsbl a.example*2001", "dnsbl_threshold 3"},
		{"dnsbl_threshold 3\ndnsbl a.example \"", "dnsbl_threshold 0"},
		{"dnsbl_threshold 3\ndnsbl a.example as=?", "dnsbl_threshold 3"},
		{"dnsbl_threshold 3\ndnsbl a.example*-1 as=?", "dnsbl_threshold 0"},
		{"dnsbl_threshold 3\ndnsbl: a.example", "dnsbl_threshold 0"},
		{"dnsbl_threshold 3\npostscreen_dnsbl_sites = a.example", "dnsbl_threshold 0"},
		{"dnsbl_threshold x", ""}, {"dnsbl_threshold 3\ndnsbl_threshold 5", "dnsbl_threshold 0"},
		{"dnsbl_welcome 2", ""}, {"dnsbl_ttl 1m", ""}, {"resolver localhost", ""},
		{"on_listed rejct", "on_listed tempfail"},
		{"client 192.0.2.1 dnsbl=no", "client 192.0.2.1 dnsbl=off"},
		{"client 192.0.2.1 dnsbl=yes", "client 192.0.2.1 dnsbl=off"},

		{"bad_rcpts none", "bad_rcpts 0"}, {"bad_rcpts 2000", "bad_rcpts 0"},
		{"bad_rcpts_percent 50%", "bad_rcpts_percent 100"},
		{"bad_rcpts_total 300/1h", "bad_rcpts_total 0"},
		{"max_rcpts x", ""}, {"max_rcpts 5\nmax_rcpts 0", ""}, {"max_resets off", "max_resets 0"},
		{"bad_rcpt_delay 10s", "bad_rcpt_delay 0s"},
		{"guard_auth yes", ""}, {"guard_auth on\nguard_auth off", ""},
		{"guard_listen x", ""}, {"transcript x", ""},

		{"share_engine mx", "share_engine off"},
		{"share_engine valkey://a\nshare_engine valkey://b", "share_engine off"},
		{"share_engine valkey://a\nshare_prefix a/b", "share_engine off"},
		{"share_engine valkey://a\nshare block", "share_engine off"},
		{"share_engine valkey://a\nshare_from mx1 @mx2", "share_engine off"},
		{"share_name a/b", ""}, {"share_limit 5", ""}, {"share_limit off", ""},
		{"share_prefix a/b", "share_engine off"}, {"share none", "share_engine off"},
		{"share_from mx1, mx2", "share_engine off"},

		{"mode Observe", "mode observe"}, {"mode: observe", "mode observe"},
		{"mode=observe", "mode observe"}, {"mode:observe", "mode observe"},
		{"Mode observe", "mode observe"}, {"MODE OBSERVE", "mode observe"},
		{"mod observe", "mode observe"}, {`"mode observe"`, "mode observe"},
		{"mode\u00a0observe", "mode observe"}, {`"mode observe`, "mode observe"},
		{"mode observe enforce", "mode observe"}, {"mode", "mode observe"},
		{"mode observe;", "mode observe"}, {"mode enforced", "mode observe"},
		{"observe on", "mode observe"}, {"\u200bmode observe", "mode observe"},
		{"mode enforce\nmode observe", "mode observe"},
		{"mode enforce\nmode: observe", "mode observe"},
		{"mode Observe\nmode enforce", "mode observe"},
		{"mode enforce\nmode enforce", ""}, {"mode: enforce", "mode observe"},
		{strings.Repeat("x\n", maxErrors+5) + "Mode: Observe", "mode observe"},

		{"hostname mx", ""}, {"contact none", ""},
		{"ledger x", ""}, {"log file", ""},
		{"include nowhere", anybody}, {"Include nowhere", anybody}, {"include", anybody},
		{"include sendwrap.conf", ""},
		{"listen 25", ""}, {"\x01", ""},
	} {
		t.Run(regexp.MustCompile(`\W+`).ReplaceAllString(tt.text[:min(len(tt.text), 40)], "_"),
			func(t *testing.T) {
				got, inEffect := loadWrong(t, tt.text)
				want, errs := load(t, tt.want)
				if errs != nil {
					t.Fatalf("%q: %s", tt.want, errs)
				}
				if !same(got, want) {
					t.Errorf("%.200q\n got %+v %+v\nwant %+v %+v", tt.text, got,
						got.Networks.Match(client), want, want.Networks.Match(client))
				}
				name, _, _ := strings.Cut(tt.text, " ")
				seen[name] = true
				if strings.Count(tt.text, "\n") > 0 || name == "nat64" || name == "dnsbl" {
					return // the first line, or another word, contributes to it
				}
				if tt.want != "" && inEffect == "" {
					t.Errorf("%.200q: the error does not name %q", tt.text, tt.want)
				}
			})
	}
	for _, d := range directives {
		if !seen[d.Name] {
			t.Errorf("%s: no wrong line", d.Name)
		}
	}
}

// TestManualOfLenient: the manual has the lenient value of each directive.
func TestManualOfLenient(t *testing.T) {
	_, list, found := strings.Cut(read(t, "../../docs/sendwrap.conf.5"), ".Sh WRONG LINES\n")
	list, _, _ = strings.Cut(list, ".Sh ")
	if !found {
		t.Fatal("no section")
	}
	for _, d := range directives {
		item := regexp.MustCompile(`(?m)^\.It .*\b` + d.Name +
			`\b.*\n(?:\.Ql (.*)$)?`).FindStringSubmatch(list)
		switch listed := item != nil; {
		case listed != (d.Lenient != "" || d.lenientBy != nil):
			t.Errorf("%s: is it in the list? %v; the lenient value is %q", d.Name, listed,
				d.Lenient)
		case listed && d.lenientBy == nil && item[1] != d.Lenient:
			t.Errorf("%s: the manual says %q; it is %q", d.Name, item[1], d.Lenient)
		}
	}
}

// TestLogLinesOrder: mistakes with a lenient value come first.
func TestLogLinesOrder(t *testing.T) {
	file := write(t, strings.Repeat("nonsense\n", 8)+"mode Observe\n")
	_, err := Load(file, allowlist.All())
	lines := LogLines(err, LineSkipped)
	want := file +
		`:9: mode: "Observe" is unknown; write enforce or observe (until then: mode observe)`
	if len(lines) != maxLogLines+1 || lines[0] != want ||
		!strings.HasPrefix(lines[1], file+":1: ") {
		t.Errorf("lines %q; want %q first", lines, want)
	}
	if lines := LogLines(err, ""); strings.Contains(lines[0], "until") {
		t.Errorf("a lenient value beside an earlier configuration: %q", lines)
	}
}

// TestByteOrderMark: the mark is ignored, also in an included file.
func TestByteOrderMark(t *testing.T) {
	file := write(t, "\ufeffmode observe\r\ninclude more\r\n")
	if err := os.WriteFile(strings.TrimSuffix(file, "sendwrap.conf")+"more",
		[]byte("\ufeffallow 192.0.2.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, allowlist.All())
	if err != nil || c.Mode != policy.Observe || c.Networks.Match(client).Access != rule.Allow {
		t.Errorf("%v, %v: %+v", c.Mode, c.Networks.Match(client), err)
	}
}
