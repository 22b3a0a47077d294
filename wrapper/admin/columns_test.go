package admin

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// What commands print fits into 100 columns, whatever the ledger has. (What they write to stderr is
// one line for each mistake or note, as tools expect it.)
func TestColumns(t *testing.T) {
	p := inPlace(t, noNotes+"access map\nremember_after mail\nbad_rcpts_total 20/1h\n"+
		"client_rate 10/1m\nremember_hangups 3/1h\nrefuse_load 4\n"+
		"dnsbl zen.example*2 wl.example*-2\ndnsbl_threshold 2\ndnsbl_welcome -2\n"+
		"wide 24 48 client_conns=200 client_rate=1000/1h bad_rcpts_total=100/1h strikes=8\n"+
		"wide 16 32 client_conns=400 client_rate=2000/1h bad_rcpts_total=200/1h\n")
	p.accessMap(t, "Connect:192.0.2 DISCARD\nGreetPause:192.0.2.7 9000\nClientRate: 9\n")
	p.enter(2, 250, 200*time.Second, false, false)
	p.enter(3, 40, 0, false, true)
	p.inLedger(func(l *ledger.Ledger) {
		for _, trouble := range ledger.Troubles() {
			l.CountTrouble(trouble, 123_456)
		}
		for range 3 {
			l.CountIdle()
			l.CountPassed(true)
			l.CountFailOpen(ledger.ErrCrowded)
		}
		day := 24 * time.Hour
		penalty := ledger.Penalty{Strikes: 8, Within: day, For: day, Max: 4 * day}
		err := l.Do(ledger.Now(), func(tx *ledger.Tx) {
			for k := policy.Ehlo; k <= policy.Other; k++ {
				network := netip.MustParsePrefix(fmt.Sprintf("2001:db8:1234:5678:%d::/80", k))
				tx.Block(network, 30*time.Hour, decide.Reason(k),
					penalty)
			}
			for range 3 {
				tx.Strike(netip.MustParsePrefix("192.0.2.7/32"), decide.Reason(policy.Pipelined), 1,
					penalty)
			}
			for _, v := range decide.Verdicts() {
				tx.Count(int(v))
			}
			tx.Spoke(time.Second)
			tx.Left(time.Second)
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	var all bytes.Buffer
	for _, args := range [][]string{{"status"}, {"blocks"}, {"check", "-n"}, {"check", "-n",
		"192.0.2.7", "2001:db8:1234:5678:1:def0:1234:5679", "198.51.100.1"}} {
		out, _ := p.says(0, args...)
		all.WriteString(out)
	}
	Usage(&all)
	for _, cmd := range commands() {
		if cmd.run != nil {
			Run([]string{cmd.name, "-h"}, ".", &all, &all)
		}
	}
	dir, _, _ := strings.Cut(p.conf, "/sendwrap.conf")
	for line := range strings.Lines(all.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 &&
			!strings.Contains(line, dir) {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"pregreet:proxy", "trouble", "without limits", "DISCARD: ",
		"ended while idle", "in the last day: 3", "known     remember_after mail, but"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("nothing about %q in\n%s", want, &all)
		}
	}
}
