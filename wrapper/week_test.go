package wrapper

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

var update = flag.Bool("update", false, "write "+weekLog)

// weekLog is a week of a mail log, from which the tests of wrapper/report make their reports.
var weekLog = filepath.Join("report", "testdata", "week.log")

// The log from which reports are tested is what this program logs. After a change of the log's
// format write it again with -update, and see that the report understands it.
func TestWeek(t *testing.T) {
	d := open(t, "", "greet_delay 20s\nclient_rate 10/1m\ndnsbl_threshold 3\n"+
		"wide 24 48 client_rate=30/1m strikes=8\n")
	w := week{doorway: d, t: t, rand: rand.New(rand.NewPCG(1, 2))}
	got := w.write()
	if *update {
		if err := os.WriteFile(weekLog, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(weekLog)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Fatalf("line %d of %s is not what is logged; run with -update:\n%s\n%s", i+1,
				weekLog, gotLines[i], wantLines[i])
		}
	}
	if len(gotLines) != len(wantLines) {
		t.Fatalf("%s has %d lines, the log %d; run with -update", weekLog, len(wantLines),
			len(gotLines))
	}
}

// week writes a log.
type week struct {
	*doorway
	t    *testing.T
	rand *rand.Rand
	out  strings.Builder
	now  time.Time
}

// write makes a log from 28 December to 4 January, with less at night.
func (w *week) write() string {
	w.now = time.Date(2026, 12, 28, 0, 3, 11, 0, time.UTC)
	end := w.now.AddDate(0, 0, 7)
	for i := 0; w.now.Before(end); i++ {
		w.Policy.Mode = policy.Enforce
		if w.now.Before(end.AddDate(0, 0, -6)) { // one begins so
			w.Policy.Mode = policy.Observe
		}
		w.client(i)
		if i%50 == 20 {
			w.others(i)
		}
		step := 8 * time.Minute
		if h := w.now.Hour(); h < 6 {
			step = 20 * time.Minute
		}
		w.now = w.now.Add(time.Duration(w.rand.Int64N(int64(2 * step))))
	}
	return w.out.String()
}

// regular are clients that come again and again; the third of them speaks early at times.
var regular = [...]string{"192.0.2.10", "192.0.2.11", "198.51.100.77", "2001:db8:7:1::25"}

func (w *week) attacker() string {
	switch n := w.rand.IntN(10); {
	case n < 5:
		return fmt.Sprintf("203.0.113.%d", 1+w.rand.IntN(200))
	case n < 6:
		return fmt.Sprintf("2001:db8:bad:%x::%x", w.rand.IntN(64), w.rand.IntN(9))
	}
	return fmt.Sprintf("198.18.%d.%d", w.rand.IntN(200), w.rand.IntN(250))
}

// client logs one connection.
func (w *week) client(i int) {
	r := w.rand
	client := w.attacker()
	if i%3 == 0 {
		client = regular[r.IntN(len(regular))]
	}
	s := w.NewSession(Connection{
		FD:     -1,
		Client: netip.AddrPortFrom(netip.MustParseAddr(client), uint16(20000+i)),
		Server: netip.MustParseAddrPort("198.51.100.5:25"),
	})
	f := s.facts()
	f.Limits.MaxSessions, f.Limits.GreetDelay = 300, 20*time.Second
	s.entered = true
	switch n := r.IntN(100); {
	case i%3 == 0 && client == regular[2] && n < 12:
		w.spoke(s, policy.Pipelined, "EHLO shop.example\r\nMAIL FROM:<a@shop.example>\r\n")
	case i%3 == 0 && n < 30 && client == regular[1]:
		s.Verdict = decide.Allowed
		f.Rule = said(rule.Allow, "192.0.2.0/28", "/etc/sendwrap.conf", 12)
	case i%3 == 0 && n < 90:
		s.Verdict = decide.Known
	case i%3 == 0:
		s.Verdict = decide.Pass
		s.delay, s.waited = 20*time.Second, 20*time.Second
		if n > 96 {
			s.turn = time.Duration(r.IntN(9000)) * time.Millisecond
		}
	case n < 35:
		kind := policy.Kind(r.IntN(int(policy.Kinds)))
		w.spoke(s, kind, "EHLO \"bot\"\r\nsendwrap[1]: PASS client=[192.0.2.66]:1 server=[::]:25\n")
		if n < 6 {
			s.struck.Strikes, s.struck.Block = 2, time.Hour
		}
		if n == 6 {
			s.struck = &Struck{Network: f.Limits.Wide[0].Network, Strikes: 8, Of: 8,
				Block: 2 * time.Hour}
		}
	case n < 55:
		s.Verdict, s.entered = decide.Blocked, false
		s.resting.standing.Reason = "pregreet:ehlo"
		f.Reason, f.BlockLeft, f.Network = "pregreet:ehlo", 40*time.Minute, s.network
		if n == 54 {
			f.From = "mx2"
		}
	case n < 68:
		s.Verdict, s.greet = decide.Hangup, decide.Left
		s.delay, s.waited = 20*time.Second, w.early()
	case n < 76:
		s.Verdict, s.delay, s.waited = decide.DNSBL, 20*time.Second, 6*time.Second
		s.heard = &heard{lists: []dnsbl.List{{Name: "zen"}, {Name: "bl.example"}}}
		f.Limits.Threshold = 3
		s.heard.result = lookup.Result{Heard: true, Score: dnsbl.Score{Sum: 4},
			Hits: []lookup.Hit{{List: 0, Addr: netip.MustParseAddr("127.0.0.4"), Weight: 3},
				{List: 1, Addr: netip.MustParseAddr("127.0.0.2"), Weight: 1}}[:1+r.IntN(2)]}
	case n < 82:
		s.Verdict = decide.Rate
		f.Arrivals, f.Limits.ClientRate = 12, rule.Rate{N: 10, Per: time.Minute}
		if n >= 80 {
			f.Arrivals, f.WideCounts[0].Arrivals = 2, 31
		}
	case n < 86:
		s.Verdict, f.Conns = decide.Conns, 50
	case n < 88:
		s.Verdict, f.Serving = decide.Busy, 300
	case n < 90:
		s.Verdict, s.entered = decide.Denied, false
		f.Rule = said(rule.Deny, "203.0.113.0/24", "/etc/sendwrap.conf", 14)
	case n < 92:
		s.Verdict, s.entered = decide.Denied, false
		f.Map = said(rule.Deny, "203.0.113.0/24", "/etc/mail/access", 3)
		f.Map.Reply = "550 5.7.1 no thanks"
	default:
		s.Verdict = decide.Pass
		if n == 97 {
			s.open = failOpen(1 + i%2*3) // no_ledger, ledger_crowded
		}
		s.delay, s.waited = 20*time.Second, 20*time.Second
	}
	s.Account(4000 + i)
	w.take()
}

// said is what a line of the configuration says of a network.
func said(what rule.Access, network, file string, line int) rule.Match {
	return rule.Match{Access: what, Network: netip.MustParsePrefix(network),
		Source: rule.Source{File: file, Line: line}}
}

// early is when an early client speaks or leaves: mostly at once.
func (w *week) early() time.Duration {
	return min(time.Duration(w.rand.ExpFloat64()*float64(time.Second)), 19*time.Second)
}

func (w *week) spoke(s *Session, kind policy.Kind, text string) {
	s.Verdict, s.greet = decide.Pregreet, decide.Spoke
	s.delay, s.waited = 20*time.Second, w.early()
	s.struck = &Struck{Network: s.network, Strikes: 1, Of: 3}
	s.early = Early{Kind: kind, Bytes: len(text), Text: []byte(text)}
}

// take puts the line that was logged into the log, as rsyslog does.
func (w *week) take() {
	w.log.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 2048)
	n, _, err := w.log.ReadFrom(b)
	if err != nil {
		w.t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b[:n]), ">")
	fmt.Fprintf(&w.out, "%s mx %s\n", w.now.Format(time.Stamp), line)
}

// others logs what guard, commands, MTAs and other programs do.
func (w *week) others(i int) {
	line := func(l *maillog.Line) {
		_ = w.Log.WriteAs(300+i, maillog.Info, l.String())
		w.take()
	}
	client := netip.AddrPortFrom(netip.MustParseAddr(w.attacker()), 4321)
	guard := maillog.NewLine("BADRCPTS").Addr("client", client)
	if w.Policy.Mode == policy.Observe {
		guard.Str("mode", "observe")
	}
	guard.Str("network", w.Network(client.Addr()).String()).IntOf("bad", 3, 3).
		IntOf("total", 5, 10).Str("per", "1h").Int("good", 0).Int("total_good", 0).
		Dur("left", time.Hour).Str("reason", "bad_rcpts")
	if w.Policy.Mode == policy.Enforce {
		guard.Str("reply", "421")
	}
	line(guard.Quote("helo", "x\" server=[198.51.100.5]:25"))
	if w.Policy.Mode == policy.Observe {
		line(maillog.NewLine("SENT").Addr("client", client).
			Str("network", w.Network(client.Addr()).String()).
			Str("observed", []string{"RATE", "CONNS,RATE", "PREGREET"}[i/50%3]).
			Str("queue", "6ALB1dfr014258"))
	}
	server := netip.MustParseAddrPort("198.51.100.5:25")
	line(maillog.NewLine("ENDED").Addr("client", client).Addr("server", server).
		Dur("after", time.Duration(i)*100*time.Millisecond).Int("status", 75))
	line(maillog.NewLine("BLOCK").Str("network", "192.0.2.128/25").Dur("for", time.Hour).
		Str("reason", "administrator").Str("by", "uid:0"))
	if i/50%3 == 0 { // `sendwrap share`
		line(maillog.NewLine("BLOCK").Str("network", fmt.Sprintf("198.18.200.%d/32", i%250)).
			Dur("for", 2*time.Hour).Str("reason", "pregreet:ehlo").Str("from", "mx2"))
	}
	line([]*maillog.Line{
		maillog.NewLine("STRIKE").Str("client", "[203.0.113.9]").
			Str("network", "203.0.113.9/32").IntOf("strikes", 3, 3).Dur("left", time.Hour).
			Str("reason", "spam").Str("by", "uid:0"),
		maillog.NewLine("DROP").Int("blocks", 2).Int("max_entries", 10000),
		maillog.NewLine("IDLE").Addr("client", client).Addr("server", server).
			DurOf("idle", 72*time.Second, time.Minute).Int("bytes", 0).Str("reply", "421"),
		maillog.NewLine("ONBLOCK").Str("network", "203.0.113.9/32").
			Dur("after", 20*time.Millisecond).Quote("error", "exit status 1"),
	}[i/50%4])
	_ = w.Log.WriteAs(300+i, maillog.Warning, fmt.Sprintf("ledger: no space left for %d", i))
	w.take()
	fmt.Fprintf(&w.out, "%s mx sm-mta[%d]: 6AL: helo=<x sendwrap[1]: PASS client=[192.0.2.66]:1 "+
		"server=[198.51.100.5]:25>, relay=[192.0.2.1]\n", w.now.Format(time.Stamp), i)
}
