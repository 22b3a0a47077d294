package wrapper

import (
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

var waits = regexp.MustCompile(`wait=[0-9.]+s`)

// mapDoor is a door with an access map, by the text or by the compiled policy.
func mapDoor(t *testing.T, form string, n *lab.Nameserver, conf, accessMap string) *doorway {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "map"), []byte(accessMap), 0o600); err != nil {
		t.Fatal(err)
	}
	d := dnsDoor(t, dir, n, conf+"access map\n", map[string]int{"bad": 3})
	if form == "compiled" {
		lists := d.Policy.Settings
		d.compiled(t, dir)
		d.Policy.Lists, d.Policy.DNSBLThreshold = lists.Lists, lists.DNSBLThreshold
	}
	return d
}

// TestAccessMap: what the access map says of a client's address and name holds, behind all that
// sendwrap.conf says, by the text as by the compiled policy. All clients are on a list.
func TestAccessMap(t *testing.T) {
	const ptr = reversed + ".in-addr.arpa. 300 IN PTR "
	host := []string{ptr + "host.dyn.example.", "host.dyn.example. 300 IN A " + asked}
	const ours = "554 5.7.1 mx.example [127.9.8.7] is refused here"
	const short = "greet_delay 1s stress=1s\n"
	for _, tt := range []struct {
		name, conf, access string
		records            []string
		prepare            func(*doorway)
		want               decide.Verdict
		log, reply         string // reply: its beginning
	}{
		{"address", endless, "Connect:127.9 REJECT\n", nil, nil, decide.Denied,
			"/map:1 network=127.9.0.0/16 reply=554", ours},
		{"address, with a text", endless, "127.9 ERROR:5.7.1:550 go away\n", nil, nil,
			decide.Denied, "/map:1 network=127.9.0.0/16 reply=550", "550 5.7.1 go away"},
		{"for now", endless + "on_denied talk\n", "127.9 ERROR:4.7.1:450 later\n", nil, nil,
			decide.Denied, "/map:1 network=127.9.0.0/16 reply=450", "450 4.7.1 later"},
		{"name", endless, "127.9.8.7 OK\nDyn.Example 550 no\n", host, nil, decide.Denied,
			"/map:2 wait=WAIT/4m50s conns=1/50", "550 "},
		{"name beats address", "", "Connect:127.9 REJECT\nGreetPause:dyn.example 0\n" +
			"Connect:dyn.example OK\n", host, nil, decide.Pass, "name=host.dyn.example", ""},
		{"another name", endless, "Connect:127.9 REJECT\nConnect:yn.example OK\n", host, nil,
			decide.Denied, "/map:1 network=127.9.0.0/16 wait=WAIT/4m50s", ours},
		{"no name", endless, "Connect:[127.9.8] REJECT\nConnect:127.9 OK\nx.example OK\n", nil, nil,
			decide.Denied, "/map:1 network=127.9.8.0/24 wait=WAIT/4m50s", ours},
		{"not confirmed", endless, "Connect:[127.9.8.7] REJECT\nConnect:dyn.example OK\n",
			host[:1], nil, decide.Denied, "/map:1 network=127.9.8.7/32 wait=WAIT/4m50s", ours},
		{"SKIP", endless, "Connect:127.9 REJECT\nConnect:dyn.example SKIP\ndyn.example OK\n", host,
			nil, decide.Denied, "/map:1 network=127.9.0.0/16 wait=WAIT/4m50s", ours},
		{"no lists for OK", "", "Connect:127.9 OK\nGreetPause:127.9 100\n", nil, nil,
			decide.Pass, "wait=WAIT/0.10s conns=1/50", ""},
		{"lists for SKIP", endless, "Connect:127.9 SKIP\nConnect:127 OK\n", nil, nil,
			decide.DNSBL, "score=3/3", "554 5.7.1 mx.example [127.9.8.7] is listed by bad"},
		{"no lists for the name", "", "Connect:dyn.example OK\nGreetPause:dyn.example 0\n", host,
			nil, decide.Pass, "name=host.dyn.example", ""},
		{"pause of no name", endless, "Connect:127.9 OK\nGreetPause:[127.9] 0\n" +
			"GreetPause:127.9 290000\n", nil, nil, decide.Pass, "conns=1/50", ""},
		{"network allowed", endless + "allow 127.9.8.7\n", "Connect:127.9 REJECT\n", nil, nil,
			decide.Allowed, "network=127.9.8.7/32", ""},
		{"name allowed", endless + "allow .dyn.example\n", "Connect:127.9 REJECT\n" +
			"Connect:dyn.example REJECT\n", host, nil, decide.Allowed, "name=host.dyn.example", ""},
		{"conf's delay", short + "client 127.9.0.0/16 greet_delay=100ms\n",
			"Connect:127.9 OK\nGreetPause:127.9 290000\nGreetPause:dyn.example 290000\n", host, nil,
			decide.Pass, "wait=WAIT/0.10s conns=1/50", ""},
		{"known", "", "Connect:127.9 REJECT\n", nil, rememberAsked, decide.Denied,
			"/map:1 network=127.9.0.0/16 reply=554", ours},
		{"known by its name", endless, "Connect:127.9 REJECT\nConnect:dyn.example OK\n", host,
			rememberAsked, decide.Known, "name=host.dyn.example", ""},
		{"known by a name that it had", endless, "Connect:127.9 REJECT\nConnect:dyn.example OK\n",
			nil, rememberAsked, decide.Denied, "/map:1 network=127.9.0.0/16 wait=WAIT/4m50s", ours},
		{"observed", endless + "mode observe\n", "Connect:127.9 REJECT\n", nil, nil, decide.Denied,
			"/map:1 network=127.9.0.0/16", ""},
		{"connections", "", "ClientConn:127 5\nConnect:127.9 OK\nGreetPause:127.9 0\n", nil, nil,
			decide.Pass, "conns=1/5", ""},
	} {
		for _, form := range []string{"text", "compiled"} {
			t.Run(tt.name+"/"+form, func(t *testing.T) {
				t.Parallel()
				n := lab.NewNameserver(t, tt.records...)
				behave(t, n, map[string]bool{"bad": true})
				d := mapDoor(t, form, n, tt.conf, tt.access)
				if tt.prepare != nil {
					tt.prepare(d)
				}
				s, client, served := d.meet(t, nil)
				if s.Verdict != tt.want || served != (tt.reply == "") {
					t.Errorf("%v, served %v; want %v", s.Verdict, served, tt.want)
				}
				if line := waits.ReplaceAllString(d.line(t), "wait=WAIT"); !strings.Contains(
					line+" ", tt.log+" ") && !strings.Contains(line, tt.log+"=") {
					t.Errorf("log %q; want %q", line, tt.log)
				}
				if tt.reply != "" {
					unix.Shutdown(s.FD, unix.SHUT_RDWR) // as the process ends
					if got := readAll(t, client); !strings.HasPrefix(got, tt.reply) {
						t.Errorf("reply %q; want %q", got, tt.reply)
					}
				}
			})
		}
	}
}

// rememberAsked makes the client known.
func rememberAsked(d *doorway) {
	network := netip.MustParsePrefix(asked + "/32")
	_ = d.Ledger.Run(func(t *ledger.Tx) { t.Remember(network, time.Hour) })
}

// Nobody asks DNS for the name of a client that the map refuses where it has no names, nor whether
// lists have one that it says OK of.
func TestAccessMapAsksNothing(t *testing.T) {
	for accessMap, asks := range map[string]bool{
		"Connect:127.9 REJECT\nFrom:dyn.example REJECT\n": false,
		"Connect:127.9 OK\nGreetPause:127.9 10\n":         false,
		"Connect:127.9 OK\ndyn.example OK\n":              true,
	} {
		n := lab.NewNameserver(t)
		behave(t, n, map[string]bool{"bad": true})
		d := mapDoor(t, "text", n, "greet_delay 100ms stress=100ms\n", accessMap)
		d.meet(t, nil)
		name := func() bool { return n.Asked(reversed+".in-addr.arpa") > 0 }
		if asks {
			lab.Eventually(t, "DNS is asked for its name", name)
		}
		list := n.Asked(reversed + ".secret.bad.example")
		if got := name(); got != asks || list > 0 {
			t.Errorf("%q: name asked for: %v; list asked %d times", accessMap, got, list)
		}
	}
}

// Of several names of a client, one that the map refuses decides, and the log has it, now and as
// long as the ledger remembers them. Then come names of which it says OK.
func TestAccessMapNames(t *testing.T) {
	const ptr, at = reversed + ".in-addr.arpa. 300 IN PTR ", " 300 IN A " + asked
	for last, want := range map[string]decide.Verdict{
		"d.bad.example": decide.Denied, "d.good.example": decide.Pass,
	} {
		n := lab.NewNameserver(t)
		for _, name := range []string{"a.none.example.", last + "."} {
			n.Add(t, ptr+name, name+at)
		}
		behave(t, n, map[string]bool{"bad": false})
		d := mapDoor(t, "text", n, endless+"remember 0s\n", "Connect:bad.example REJECT\n"+
			"Connect:good.example OK\nGreetPause:good.example 0\n")
		for range 2 {
			s, _, _ := d.meet(t, nil)
			line := d.line(t)
			if s.Verdict != want || !strings.Contains(line+" ", " name="+last+" ") {
				t.Errorf("%v, want %v: %s", s.Verdict, want, line)
			}
		}
	}
}

// A rate of the map is that of a network of one, as sendmail counts: 2 in a minute are two.
func TestAccessMapRate(t *testing.T) {
	d := mapDoor(t, "compiled", lab.NewNameserver(t), "greet_delay 0s\n",
		"ClientRate: 1\nClientRate:127.9 2\n")
	for i, want := range []decide.Verdict{decide.Pass, decide.Known, decide.Rate} {
		s, _, _ := d.meet(t, nil)
		if per := s.facts().Limits.ClientRate.Per; s.Verdict != want || per != time.Minute {
			t.Errorf("client %d: %v, per %v; want %v", i, s.Verdict, per, want)
		}
	}
}

// on_denied talk holds for a client that the map refuses for good: each recipient is refused with
// the map's text.
func TestAccessMapTalk(t *testing.T) {
	d := mapDoor(t, "compiled", lab.NewNameserver(t), "on_denied talk\n",
		"127.9 ERROR:5.7.1:553 not from you\n")
	r := d.run(t)
	r.hears("220 ")
	r.client.Write([]byte("EHLO client.example\r\n"))
	r.hears("250 ")
	r.client.Write([]byte("MAIL FROM:<a@example.org>\r\n"))
	r.hears("250 ")
	r.client.Write([]byte("RCPT TO:<b@example.net>\r\n"))
	r.hears("553 5.7.1 not from you")
	r.client.Write([]byte("QUIT\r\n"))
	r.hears("221 ")
	r.over()
}

// A client that speaks while its name may still beat the map has spoken early; a client that the
// map refuses whatever its name is refused for that.
func TestAccessMapSpoke(t *testing.T) {
	for accessMap, want := range map[string]decide.Verdict{
		"Connect:127.9 REJECT\nConnect:dyn.example OK\n": decide.Pregreet,
		"Connect:127.9 REJECT\n":                         decide.Denied,
	} {
		n := lab.NewNameserver(t)
		n.Hold("")
		d := mapDoor(t, "text", n, endless, accessMap)
		s, _, served := d.meet(t, says("EHLO bot\r\n"))
		if s.Verdict != want || served {
			t.Errorf("%q: %v, served %v; want %v", accessMap, s.Verdict, served, want)
		}
	}
}

// A name that does not come in time does not count: the address decides at the end of the delay.
// (TestAccessMapSpoke shows that it does not decide before.)
func TestAccessMapSilentDNS(t *testing.T) {
	for accessMap, want := range map[string]decide.Verdict{
		"Connect:127.9 REJECT\nConnect:dyn.example OK\n":       decide.Denied,
		"Connect:[127.9] REJECT\nConnect:dyn.example REJECT\n": decide.Denied,
		"Connect:127.9 OK\nConnect:dyn.example REJECT\n":       decide.Pass,
	} {
		n := lab.NewNameserver(t)
		n.Hold("")
		d := mapDoor(t, "compiled", n, "greet_delay 300ms stress=300ms\n", accessMap)
		if s, _, _ := d.meet(t, nil); s.Verdict != want {
			t.Errorf("%q: %v; want %v", accessMap, s.Verdict, want)
		}
		lab.Eventually(t, "DNS is asked for its name", func() bool {
			return n.Asked(reversed+".in-addr.arpa") > 0
		})
	}
}
