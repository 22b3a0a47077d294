package wrapper

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
)

const (
	asked    = "127.9.8.7" // the client of these tests
	reversed = "7.8.9.127"
	endless  = "greet_delay 290s stress=290s\n" // a client gets through only if DNS ends the delay
)

// dnsDoor is a door that asks a nameserver about its clients. Each list is bad or good by its
// weight, is named after its zone, and is known to behave.
func dnsDoor(
	t *testing.T, dir string, n *lab.Nameserver, conf string, lists map[string]int,
) *doorway {
	t.Helper()
	d := open(t, dir, conf)
	d.from = asked
	d.Policy.Resolvers = []netip.AddrPort{n.Addr}
	d.Policy.DNSBLThreshold, d.Policy.DNSBLWelcome = 3, -2
	for _, name := range []string{"bad", "good", "slow"} {
		if weight, found := lists[name]; found {
			d.Policy.Lists = append(d.Policy.Lists, dnsbl.List{
				Zone: "secret." + name + ".example", Name: name, URL: "https://" + name + ".example/",
				Sites: []dnsbl.Site{{Weight: weight}},
			})
		}
	}
	return d
}

// behave adds to the nameserver lists that behave, some of which have the client.
func behave(t *testing.T, n *lab.Nameserver, lists map[string]bool) {
	t.Helper()
	for name, listed := range lists {
		if zone := "secret." + name + ".example"; listed {
			n.AddList(t, zone, reversed)
		} else {
			n.AddList(t, zone)
		}
	}
}

func TestHeard(t *testing.T) {
	weights := map[string]int{"bad": 3, "good": -2}
	for _, tt := range []struct {
		name, conf string
		listed     map[string]bool
		set        func(*policy.Settings)
		want       decide.Verdict
		served     bool
		reply, log string
	}{
		{"listed", endless, map[string]bool{"bad": true, "good": false}, nil, decide.DNSBL, false,
			"554 5.7.1 mx.example [127.9.8.7] is listed by bad; see https://bad.example/",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=554"},
		{"listed, tempfail", endless, map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.OnListed = policy.Tempfail }, decide.DNSBL, false,
			"421 4.7.1 mx.example [127.9.8.7] is listed by bad; see https://bad.example/",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=421"},
		{"listed, drop", endless, map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.OnListed = policy.Drop }, decide.DNSBL, false, "",
			"wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3 reply=none"},
		{"listed, observed", endless + "mode observe\n",
			map[string]bool{"bad": true, "good": false}, nil, decide.DNSBL, true, "",
			"mode=observe wait=WAIT/4m50s conns=1/50 score=3/3 lists=bad:127.0.0.2*3"},
		{"welcome", endless, map[string]bool{"bad": false, "good": true}, nil, decide.DNSWL, true,
			"", "wait=WAIT/4m50s conns=1/50 score=-2/3 lists=good:127.0.0.2*-2"},
		{"both", "greet_delay 10s stress=10s\n", map[string]bool{"bad": true, "good": true}, nil,
			decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=1/3 lists=bad:127.0.0.2*3,good:127.0.0.2*-2"},
		{"none", "greet_delay 10s stress=10s\n", map[string]bool{"bad": false, "good": false}, nil,
			decide.Pass, true, "", "wait=WAIT/10s conns=1/50"},
		{"no threshold", "greet_delay 10s stress=10s\n",
			map[string]bool{"bad": true, "good": false},
			func(s *policy.Settings) { s.DNSBLThreshold = 0 }, decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=3/- lists=bad:127.0.0.2*3"},
		{"no welcome", "greet_delay 10s stress=10s\n", map[string]bool{"bad": false, "good": true},
			func(s *policy.Settings) { s.DNSBLWelcome = 0 }, decide.Pass, true, "",
			"wait=WAIT/10s conns=1/50 score=-2/3 lists=good:127.0.0.2*-2"},
		{"dnsbl=off", "greet_delay 1s stress=1s\nclient 127.9.0.0/16 dnsbl=off\n",
			map[string]bool{"bad": true, "good": false}, nil, decide.Pass, true, "",
			"wait=WAIT/1s conns=1/50"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t)
			behave(t, n, tt.listed)
			d := dnsDoor(t, "", n, tt.conf, weights)
			if tt.set != nil {
				tt.set(d.Policy.Settings)
			}
			s, client, served := d.meet(t, nil)
			if s.Verdict != tt.want || served != tt.served {
				t.Errorf("%v, served %v; want %v, %v", s.Verdict, served, tt.want, tt.served)
			}
			if !served {
				unix.Shutdown(s.FD, unix.SHUT_RDWR) // as the process ends
				if got := strings.TrimRight(readAll(t, client), "\r\n"); got != tt.reply {
					t.Errorf("reply %q; want %q", got, tt.reply)
				}
			}
			line := regexp.MustCompile(`wait=[0-9.]+s`).ReplaceAllString(d.line(t), "wait=WAIT")
			if !strings.HasSuffix(line, " "+tt.log) {
				t.Errorf("log %q; want %q", line, tt.log)
			}
			if got := d.totals(t).Verdicts[tt.want]; got != 1 {
				t.Errorf("%v was counted %d times", tt.want, got)
			}
			next, _ := d.enter(t)
			if next.Arrive(); next.facts().Known != (tt.want.Served()) {
				t.Errorf("known afterwards: %v", next.facts().Known)
			}
		})
	}
}

// The longest reply about a list fits into a line.
func TestListedReplyFits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	p := &policy.Policy{Settings: &policy.Settings{Hostname: long(policy.MaxHostname),
		Contact: long(policy.MaxContact)}}
	s := &Session{door: &Door{Policy: p}, Connection: Connection{
		Client: netip.MustParseAddrPort("[2001:db8:1111:2222:3333:4444:5555:6666]:1")}}
	for _, url := range []int{0, 100, dnsbl.MaxZone, 200} {
		name := long(dnsbl.MaxZone)
		s.heard = &heard{lists: []dnsbl.List{{Name: name, URL: long(url)}}}
		s.heard.result.Hits = []lookup.Hit{{List: 0, Weight: 3}}
		line := s.listedReply(policy.Reject)
		if line == "" || len(line) > 510 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
	p.Contact = ""
	if line := s.listedReply(policy.Reject); !strings.Contains(line, long(dnsbl.MaxZone)) {
		t.Errorf("the list has no name: %s", line)
	}
}

// A client that need not wait because it has left often waits for what the lists say, and no
// longer.
func TestHangupsAndLists(t *testing.T) {
	for listed, want := range map[bool]decide.Verdict{true: decide.DNSBL, false: decide.Pass} {
		n := lab.NewNameserver(t)
		behave(t, n, map[string]bool{"bad": listed})
		d := dnsDoor(t, "", n, endless+"remember_hangups 3/1h\n", map[string]int{"bad": 3})
		d.from = asked
		err := d.Ledger.Run(func(tx *ledger.Tx) {
			p := ledger.Self()
			for range 3 {
				network := netip.MustParsePrefix(asked + "/32")
				a := ledger.Arrival{Client: netip.MustParseAddrPort(asked + ":1"), Network: network}
				session, _ := tx.Enter(a, p)
				tx.HungUp(network, 100*time.Second, time.Hour)
				tx.Leave(session)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if s, _, _ := d.meet(t, nil); s.Verdict != want {
			t.Errorf("listed %v: %v; want %v", listed, s.Verdict, want)
		}
	}
}
