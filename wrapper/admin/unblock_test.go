package admin

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// If a wider block goes on unblock fails, and says how to end that.
func TestUnblockWithin(t *testing.T) {
	p := inPlace(t, "")
	p.says(0, "block", "192.0.2.0/24", "1h")
	const refused = "sendwrap unblock: 192.0.2.9/32 is still blocked as part of 192.0.2.0/24; " +
		"write sendwrap unblock 192.0.2.0/24\n"
	if out, errs := p.says(100, "unblock", "192.0.2.9"); out != "" || errs != refused {
		t.Errorf("%s%s; want %s", out, errs, refused)
	}
	p.says(0, "block", "192.0.2.9", "1h")
	out, errs := p.says(100, "unblock", "192.0.2.9")
	if out != "192.0.2.9/32: unblocked\n" || errs != refused {
		t.Errorf("%s%s; want one unblocked, and %s", out, errs, refused)
	}
	p.says(0, "unblock", "192.0.2.0/24")
	if out, _ := p.says(0, "unblock", "192.0.2.9"); out != "192.0.2.9/32: was not blocked\n" {
		t.Errorf("says %s", out)
	}
}

// unblock forgets strikes, even if they have made no block yet.
func TestUnblockStrikes(t *testing.T) {
	p := inPlace(t, "")
	p.says(0, "strike", "192.0.2.9")
	p.says(0, "strike", "192.0.2.9")
	const forgotten = "192.0.2.9/32: was not blocked; 2 strikes forgotten\n"
	if out, _ := p.says(0, "unblock", "192.0.2.9"); out != forgotten {
		t.Errorf("unblock says %q", out)
	}
	if out, _ := p.says(0, "strike", "192.0.2.9"); strings.Contains(out, "blocked") {
		t.Errorf("the next strike says %q", out)
	}
}

// unblock -auto ends the blocks of block -auto, and no others: not those by hand, of strikes or of
// the guard, no strikes, and no block on a network within.
func TestUnblockAuto(t *testing.T) {
	const network = "192.0.2.9/32"
	other := func(left, reason string) string {
		return network + ": still blocked for <" + left + "> because of " + reason +
			"; only sendwrap unblock " + network + " ends that\n"
	}
	wide := func(p *place) { p.says(0, "block", "192.0.2.0/24", "3h", "news") }
	const within = network + `: still blocked as part of 192\.0\.2\.0/24; ` +
		`sendwrap unblock 192\.0\.2\.0/24 ends that\n`
	guard := func(p *place) { p.blocked(network, time.Hour, "bad_rcpts") }
	auto := func(p *place) { p.says(0, "block", "-auto", "192.0.2.9", "2h", "fail2ban-x") }
	shorter := func(p *place) { p.says(0, "block", "-auto", "192.0.2.9", "10m", "fail2ban-x") }
	hand := func(p *place) { p.says(0, "block", "192.0.2.9", "1h", "mine") }
	for _, tt := range []struct {
		name   string
		before []func(*place)
		says   string
		left   string // the reason of the block that runs then
	}{
		{"none", nil, network + ": was not blocked\n", ""},
		{"its own", []func(*place){auto}, network + ": unblocked\n", ""},
		{"its own, set twice", []func(*place){auto, shorter}, network + ": unblocked\n", ""},
		{"by hand", []func(*place){hand}, other("1h", "mine"), "mine"},
		{"by hand, and longer by its own", []func(*place){hand, auto}, other("2h", "mine"), "mine"},
		{"its own, then by hand", []func(*place){auto, hand}, other("1h", "mine"), "mine"},
		{"none, within another", []func(*place){wide},
			network + ": was not blocked\n" + within, "news"},
		{"its own, within another", []func(*place){wide, auto},
			network + ": unblocked\n" + within, "news"},
		{"the guard's", []func(*place){guard}, other("1h", "bad_rcpts"), "bad_rcpts"},
		{"the guard's, and its own is shorter", []func(*place){guard, shorter},
			other("1h", "bad_rcpts"), "bad_rcpts"},
		{"the guard's, and its own is longer", []func(*place){guard, auto},
			network + ": unblocked\n", ""},
		{"its own was over, then the guard's", []func(*place){auto, func(p *place) {
			p.says(0, "unblock", "192.0.2.9")
		}, guard}, other("1h", "bad_rcpts"), "bad_rcpts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, began := inPlace(t, ""), time.Now()
			for _, do := range tt.before {
				do(p)
			}
			out, errs := p.says(0, "unblock", "-auto", "192.0.2.9")
			shows(t, out+errs, tt.says, began)
			p.do(func(tx *ledger.Tx) {
				b, _ := tx.BlockOf(netip.MustParseAddr("192.0.2.9"), netip.MustParsePrefix(network))
				if b.Reason != tt.left {
					t.Errorf("what runs then is %+v; want reason %q", b, tt.left)
				}
			})
		})
	}
}

// unblock -auto keeps strikes, how often the network was blocked, and blocks within.
func TestUnblockAutoForgetsNothing(t *testing.T) {
	log := newSyslogd(t)
	p := inPlace(t, "block strikes=3 for=1h max=24h")
	p.says(0, "block", "-auto", "198.51.100.0/24", "1h", "fail2ban-x")
	p.says(0, "block", "-auto", "198.51.100.9", "1h", "fail2ban-x")
	p.does(log, unblock, "-auto", "198.51.100.0/24")
	want := ": UNBLOCK network=198.51.100.0/24 freed=1 reason=fail2ban-x by=uid:" +
		strconv.Itoa(os.Getuid())
	if got := log.lines(); len(got) != 1 || !strings.HasSuffix(got[0], want) {
		t.Errorf("log %q; want %q", got, want)
	}
	if text, _ := p.says(0, "blocks"); !strings.Contains(text, "198.51.100.9") ||
		strings.Contains(text, "198.51.100.0/24") {
		t.Errorf("blocks says\n%s", text)
	}
	p.says(0, "strike", "192.0.2.9")
	p.says(0, "strike", "192.0.2.9")
	p.says(0, "block", "-auto", "192.0.2.9", "1h", "fail2ban-x")
	p.says(0, "unblock", "-auto", "192.0.2.9")
	const third = "192.0.2.9/32: strike 3 of 3, blocked for 2h\n"
	if text, _ := p.says(0, "strike", "192.0.2.9"); !strings.HasPrefix(text, third) {
		t.Errorf("the third strike says %s", text)
	}
}

// on_block runs once for the end of a thousand blocks: for the network that holds them.
func TestUnblockWide(t *testing.T) {
	dir := t.TempDir()
	hook, runs := filepath.Join(dir, "hook"), filepath.Join(dir, "runs")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\necho \"$@\" >>"+runs+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	p := inPlace(t, "on_block "+hook)
	const many = 300 // of the room that there is
	for i := range many {
		p.blocked(fmt.Sprintf("10.1.%d.%d/32", i/200, i%200), time.Hour, "x")
	}
	p.blocked("10.2.0.0/16", time.Hour, "x")
	text, _ := p.says(0, "unblock", "10.1.0.0/16")
	if n := strings.Count(text, ": unblocked\n"); n != many {
		t.Errorf("it ends %d blocks; want %d", n, many)
	}
	if got, _ := os.ReadFile(runs); string(got) != "10.1.0.0/16 ipv4 0 unblock\n" {
		t.Errorf("on_block ran for\n%s", got)
	}
	if text, _ := p.says(0, "blocks"); !strings.Contains(text, "10.2.0.0/16") {
		t.Errorf("blocks says\n%s", text)
	}
}

// on_block runs for blocks and for their end, and its failure is reported.
func TestOnBlockByHand(t *testing.T) {
	dir := t.TempDir()
	hook, runs := filepath.Join(dir, "hook"), filepath.Join(dir, "runs")
	script := func(does string) {
		if err := os.WriteFile(hook, []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script(`echo "$@" >>` + runs)
	p := inPlace(t, "block strikes=2 for=1h\non_block "+hook+" arg")
	lines := func() string {
		text, _ := os.ReadFile(runs)
		_ = os.Remove(runs)
		return strings.TrimSpace(string(text))
	}
	ran := "on_block: " + hook + " was run"
	for _, tt := range []struct {
		args, says []string
		runs       string // a regular expression: a moment of the time may have passed
	}{
		{[]string{"block", "203.0.113.0/24", "90m", "from the news"},
			[]string{"203.0.113.0/24: blocked for 1h30m", "203.0.113.0/24: 0 sessions ended",
				"203.0.113.0/24: " + ran},
			"arg 203.0.113.0/24 ipv4 5[34]\\d\\d from_the_news"},
		{[]string{"block", "-force", "127.0.0.1", "1h"},
			[]string{"127.0.0.1/32: blocked for 1h", "127.0.0.1/32: 0 sessions ended",
				"127.0.0.1/32: on_block was not run: it is loopback"},
			""},
		{[]string{"strike", "203.0.113.9"}, []string{"203.0.113.9/32: strike 1 of 2"}, ""},
		{[]string{"strike", "203.0.113.9", "bad recipients"},
			[]string{"203.0.113.9/32: strike 2 of 2, blocked for 1h",
				"203.0.113.9/32: 0 sessions ended", "203.0.113.9/32: " + ran},
			"arg 203.0.113.9/32 ipv4 3[56]\\d\\d bad_recipients"},
		{[]string{"unblock", "203.0.113.0/24"},
			[]string{"203.0.113.0/24: unblocked", "203.0.113.9/32: unblocked",
				ran + " for 203.0.113.0/24"},
			"arg 203.0.113.0/24 ipv4 0 unblock"},
		{[]string{"unblock", "203.0.113.0/24"},
			[]string{"203.0.113.0/24: was not blocked", ran + " for 203.0.113.0/24"},
			"arg 203.0.113.0/24 ipv4 0 unblock"},
	} {
		text, errs := p.says(0, tt.args...)
		said := strings.Split(strings.TrimSpace(text), "\n")
		if tt.args[0] == "unblock" {
			slices.Sort(said) // as the ledger has them
		}
		if !slices.Equal(said, tt.says) || errs != "" {
			t.Errorf("%q says\n%s%s; want\n%s", tt.args, text, errs, strings.Join(tt.says, "\n"))
		}
		if got := lines(); !regexp.MustCompile("^" + tt.runs + "$").MatchString(got) {
			t.Errorf("%q: on_block ran for %q; want %q", tt.args, got, tt.runs)
		}
	}

	script("echo no such table >&2; exit 1")
	for _, args := range [][]string{{"block", "203.0.113.1", "1h"}, {"unblock", "203.0.113.1"}} {
		text, errs := p.says(111, args...)
		want := fmt.Sprintf("sendwrap %s: on_block: %s: exit status 1: no such table\n",
			args[0], hook)
		if errs != want || !strings.Contains(text, "blocked") || strings.Contains(text, "was run") {
			t.Errorf("%q says\n%s%s; want\n%s", args, text, errs, want)
		}
	}
}
