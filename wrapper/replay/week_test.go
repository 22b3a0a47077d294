package replay

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// weekConf has every limit that can be replayed.
const weekConf = `
greet_delay 6s
client_rate 5/5m
client_conns 4
max_sessions 30
dnsbl zen.example*3 as=zen
dnsbl bl.example*2 as=bl
dnsbl_threshold 4
deny 198.18.250.0/24
allow 192.0.2.200
`

// week is a week of callers: servers that come again and again, attackers that come in bursts,
// strangers, and crowds that take all places.
func week(days int) (all []caller) {
	r := rand.New(rand.NewPCG(5, 6))
	port := uint16(1024)
	add := func(at time.Duration, client string, c caller) {
		if port++; port == 0 {
			port = 1024
		}
		c.at = at.Truncate(10 * time.Millisecond)
		c.client = netip.AddrPortFrom(netip.MustParseAddr(client), port)
		c.answers = time.Duration(10*(5+r.IntN(200))) * time.Millisecond
		if c.stays == 0 {
			c.stays = time.Duration(1+r.IntN(150)) * time.Second
		}
		all = append(all, c)
	}
	early := func() time.Duration { return time.Duration(10*r.IntN(1200)) * time.Millisecond }
	for at := time.Duration(0); at < time.Duration(days)*24*time.Hour; {
		at += time.Duration(r.IntN(600)) * time.Second
		somebody := fmt.Sprintf("198.18.%d.%d", r.IntN(251), r.IntN(20))
		switch n := r.IntN(100); {
		case n < 40: // a server
			for range 1 + r.IntN(3) {
				add(at+early(), fmt.Sprintf("192.0.2.%d", 1+r.IntN(20)), caller{})
			}
		case n < 45:
			add(at, "192.0.2.200", caller{does: decide.Spoke, when: early()})
		case n < 60: // an early talker, until it is blocked
			kind := policy.Kind(r.IntN(int(policy.Kinds)))
			for i := range 1 + r.IntN(6) {
				add(at+time.Duration(i)*20*time.Second, somebody,
					caller{does: decide.Spoke, when: early(), kind: kind})
			}
		case n < 70: // a burst
			stays := time.Duration(1+r.IntN(2)*180) * time.Second
			for i := range 4 + r.IntN(10) {
				add(at+time.Duration(i)*8*time.Second, somebody, caller{stays: stays})
			}
		case n < 80:
			for i := range 1 + r.IntN(5) {
				add(at+time.Duration(i)*15*time.Second, somebody,
					caller{does: decide.Left, when: early()})
			}
		case n < 90:
			add(at, somebody, caller{listed: 1 + r.IntN(2)})
		case n < 91: // a crowd
			for i := range 50 {
				add(at+early(), fmt.Sprintf("2001:db8:%x:%x::1", r.IntN(4000), i),
					caller{stays: 4 * time.Minute})
			}
		default:
			add(at, fmt.Sprintf("2001:db8:%x::%x", r.IntN(60), 1+r.IntN(9)), caller{})
		}
	}
	slices.SortStableFunc(all, inOrder)
	return all
}

// By the configuration that made the log, every client has the verdict that it had.
func TestSame(t *testing.T) {
	callers := week(7)
	w := live(t, weekConf, callers)
	r := again(t, w.text.String(), weekConf)
	counts := map[string]int{}
	for _, v := range w.verdicts {
		counts[v.String()]++
	}
	for _, word := range []string{"PASS", "KNOWN", "PREGREET", "HANGUP", "BLOCKED", "RATE",
		"CONNS", "BUSY", "DNSBL", "DENIED", "ALLOWED"} {
		if counts[word] == 0 {
			t.Errorf("nobody is %s in this week: %v", word, counts)
		}
	}
	if r.Connections != len(callers) || r.Same != len(callers) || len(r.Clients) > 0 {
		t.Errorf("%d of %d connections (%d callers) have their verdict; %v", r.Same, r.Connections,
			len(callers), counts)
		for key, n := range caught(r) {
			t.Logf("%s: %d", key, n)
		}
	}
}

// What limits would have done that change nothing about how long clients wait, and when their
// sessions end: all of it is found, and nothing else.
func TestOthers(t *testing.T) {
	callers := week(3)
	then := live(t, weekConf, callers)
	for _, tt := range []struct {
		line, other string
		waits       int // clients of which the log cannot tell, at most
	}{
		{"client_rate 5/5m", "client_rate 3/5m", 3},
		{"dnsbl_threshold 4", "dnsbl_threshold 3", 3},
		{"dnsbl zen.example*3", "dnsbl zen.example*4", 3},
		{"deny ", "deny 192.0.2.7 ", 0},
		{"allow ", "allow 192.0.2.9 ", 3},
	} {
		t.Run(tt.other, func(t *testing.T) {
			conf := strings.Replace(weekConf, tt.line, tt.other, 1)
			r := again(t, then.text.String(), conf)
			got, want := caught(r), truth(then, live(t, conf, callers))
			waits := 0
			for key, n := range got {
				if at, ok := strings.CutSuffix(key, Waits); ok {
					delete(got, key)
					waits += n
					for other := range want { // it is a change, and which one is not known
						if strings.HasPrefix(other, at) {
							delete(want, other)
						}
					}
				}
			}
			if len(want) == 0 || r.Untold.Waits != waits || waits > tt.waits {
				t.Errorf("%d kinds of change; %d clients wait, %d are counted", len(want), waits,
					r.Untold.Waits)
			}
			differ(t, got, want)
		})
	}
}

// What is refused for its rate, or by lists, is refused with a stricter limit, too. (This does not
// hold for the number of sessions: if a long one is let in and short ones are not, there is a place
// later.)
func TestStricter(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	counts := map[string]int{}
	for range 20 {
		n, threshold := 2+random.IntN(8), 2+random.IntN(4)
		conf := func(rate, score int) string {
			return fmt.Sprintf("greet_delay 3s\nclient_conns 0\nclient_rate %d/1m\n"+
				"dnsbl a.example*2 as=zen\ndnsbl b.example*3 as=bl\ndnsbl_threshold %d\n", rate,
				score)
		}
		var callers []caller
		for i := range 200 {
			addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(random.IntN(3))})
			callers = append(callers, caller{
				at:     time.Duration(random.IntN(600_000)) * time.Millisecond,
				client: netip.AddrPortFrom(addr, uint16(2000+i)), stays: time.Second,
				listed: random.IntN(3), answers: time.Second,
			})
		}
		slices.SortStableFunc(callers, inOrder)
		then := live(t, conf(n, threshold), callers)
		r := again(t, then.text.String(), conf(1+random.IntN(n), 1+random.IntN(threshold)))
		for _, c := range r.Changes {
			if c.Then == "RATE" || c.Then == "DNSBL" && c.Now != "RATE" {
				t.Errorf("%d clients that were %s are %s", c.Count, c.Then, c.Now)
			}
		}
		for _, v := range r.Verdicts {
			counts[v.Verdict] += v.Then
		}
	}
	if counts["RATE"] < 100 || counts["DNSBL"] < 20 {
		t.Errorf("too few are refused: %v", counts)
	}
}
