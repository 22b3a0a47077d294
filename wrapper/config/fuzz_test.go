package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
)

func listsInRange(t *testing.T, c *Config) {
	t.Helper()
	zones, names, sites := map[string]bool{}, map[string]bool{}, 0
	for _, l := range c.Lists {
		zone, err := dnsbl.ParseZone(l.Zone)
		if err != nil || zone != l.Zone || zones[zone] || names[l.Name] || len(l.Name) > 189 ||
			len(l.URL) > maxListURL || len(l.Sites) == 0 || len(l.Sites) > maxListSites {
			t.Fatalf("out of range, or twice: %+v", l)
		}
		zones[zone], names[l.Name] = true, true
		sites += len(l.Sites)
	}
	if len(c.Lists) > maxLists || sites > maxSites || c.DNSBLWelcome > 0 || c.DNSBLThreshold < 0 ||
		c.DNSBLTTL.Min < time.Second || c.DNSBLTTL.Max < c.DNSBLTTL.Min ||
		len(c.Resolvers) > maxResolvers {
		t.Fatalf("out of range: %+v", c)
	}
}

// FuzzLoad: for any file, Load returns settings that are in range, and reads back what Write
// prints.
func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile("../../sendwrap.conf.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(strings.ReplaceAll(string(example), "\n#", "\n"))
	for _, seed := range []string{
		"mta /a \"b c\" \"\\\"\" \"\" # x\r\ngreet_delay 1d stress=1ms", "teaser \" x\"",
		"refuse_load 1e-3", "refuse_load -0",
		"client_rate 1/1.5s", "block for=1s max=1s strikes=1 within=1s",
		"ledger \"/a b\" clients=1024", "include sendwrap.conf",
		"include \"\"", "include /dev/zero", "include ../x",
		"client ::/0 greet_delay=0 client_rate=0 client_conns=0", "\"", "\\", "\x00",
		"allow .a.b *.c A.B. x@y\ndeny a.b\nclient .b client_conns=1\nclient .b bad_rcpts=1",
		"allow ::ffff:0:0/96 1-2 [ ]", "remember 10000d", "count_by 8 16",
		"block off kill=off grace=1ms max_entries=1", "on_block /a \"\" \"#\" off",
		"bad_rcpts_percent 50%\nbad_rcpts_total 255/24h",
		"guard_listen \"unix:/a b\" owner=\"x\"", "guard_listen \"unix:/a b\" \"owner=x y\"",
		"guard_listen \"[fe80::1%a \\\" b]:1\"",
		"guard_listen inet:8891@[::1]", "guard_listen local:/x", "guard_listen ]:[",
		"guard_listen :", "guard_listen @", "guard_listen ::1:1",
		"transcript /a/../b max=1023M", "transcript /. max=64k",
		"guard_auth on\nbad_rcpt_delay 5s\nmax_resets 0\nmax_rcpts 1",
		"hostname mx.example.org.\ncontact \"#  a\\\"\"", "mta /a \"b\\\\\" \"c\u00a0d\"",
		"mta /a\\\\", "client_rate x/y",
		"client 10.0.0.0/8 bad_rcpts=0 bad_rcpts_percent=100 bad_rcpts_total=0 max_rcpts=1 " +
			"max_resets=1 bad_rcpt_delay=0",
		"dnsbl K.zen.example.=127.0.0.[2..11]*2,wl.example*-2\n" +
			"dnsbl k.ZEN.example as=zen url=http://x/#",
		"dnsbl \"a b\" x=[1.2.3.4]*0 as=y\ndnsbl_threshold 64000\ndnsbl_welcome -1\n" +
			"dnsbl_ttl 1s 1s",
		"resolver ::1 [fe80::1%e]:5 1.2.3.4:53\non_listed drop\nclient ::/0 dnsbl=off",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "sendwrap.conf")
	load := func(t *testing.T, text string) (*Config, error) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return Load(path, allowlist.All())
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := load(t, text)
		if err != nil && strings.Count(err.Error(), "\n") > maxErrors {
			t.Fatalf("%d lines of errors", strings.Count(err.Error(), "\n"))
		}
		if first == nil {
			if !strings.Contains(text, "\x00") {
				t.Fatal(err)
			}
			return
		}
		if first.StressDelay > first.GreetDelay || first.GreetDelay > rule.MaxGreetDelay ||
			first.Block.For > first.Block.Max ||
			len(first.MTA) == 0 || !filepath.IsAbs(first.MTA[0]) ||
			!filepath.IsAbs(first.Ledger.Path) ||
			first.MaxSessions < 1 || first.MaxWaiting < 1 ||
			strings.ContainsAny(first.Teaser, "\r\n") {
			t.Fatalf("out of range: %+v", first)
		}
		if l := first.GuardListen; l.Network == "unix" &&
			(!filepath.IsAbs(l.Address) || len(l.Address) > maxSocketPath) ||
			l.Network == "tcp" && (!netip.MustParseAddrPort(l.Address).IsValid() ||
				l.Owner != "") || l.Network != "unix" && l.Network != "tcp" {
			t.Fatalf("out of range: %+v", l)
		}
		if d := first.Transcript.Dir; d != "" &&
			(!filepath.IsAbs(d) || d != filepath.Clean(d) || d == "/" ||
				first.Transcript.Max < minTranscript) ||
			len(first.OnBlock) > 0 && !filepath.IsAbs(first.OnBlock[0]) ||
			first.Block.MaxEntries < 1 || first.Block.For < time.Second {
			t.Fatalf("out of range: %+v", first)
		}
		listsInRange(t, first)
		var printed strings.Builder
		if err := first.Write(&printed); err != nil {
			t.Fatal(err)
		}
		second, err := load(t, printed.String())
		if err != nil {
			t.Fatalf("%v\nin what was printed:\n%s", err, printed.String())
		}
		second.Networks, second.Files, second.lines = first.Networks, first.Files, first.lines
		second.Sources, second.listPlaces = first.Sources, first.listPlaces
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("printed:\n%s\nread back as %+v\n    want %+v", printed.String(), second,
				first)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"0", "5", "1h30m", "1d12h", "1.5s", "d", "10000d", "-1s", "1d-1s",
		"9999d2540400h", "", "1us", "1e3s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err != nil {
			return
		}
		again, err := ParseDuration(rule.FormatDuration(d))
		if err != nil || again != d || d < 0 {
			t.Fatalf("ParseDuration(%q) = %v, printed as %s, read back as %v, %v", s, int64(d),
				rule.FormatDuration(d), again, err)
		}
	})
}
