package top

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// madeSite is a site whose ledger has something of everything.
func madeSite(t *testing.T) *Site {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, file := filepath.Join(dir, "ledger"), filepath.Join(dir, "conf")
	conf := "ledger " + path + " clients=1024\nmax_waiting 100 room=200\nmax_sessions 10\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	l, _, err := ledger.Open(path, 1024, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for n := range 12 {
		host := netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)})
		network := netip.PrefixFrom(host, 32)
		v := decide.Pass
		if n%3 == 2 {
			v = decide.Pregreet
		}
		for range max(2, 12-n) { // of two one is left when counts are halved
			must(t, l, func(tx *ledger.Tx) {
				s, _ := tx.Enter(ledger.Arrival{
					Client: netip.AddrPortFrom(host, 25), Network: network}, ledger.Self())
				switch {
				case n == 0:
					tx.Serve(s)
				case n > 1:
					tx.Leave(s)
				}
				tx.CountFor(network, ledger.Event{Verdict: int(v), Refused: v != decide.Pass})
			})
		}
	}
	must(t, l, func(tx *ledger.Tx) {
		tx.Remember(netip.MustParsePrefix("192.0.2.1/32"), time.Hour)
		tx.BlockByHand(netip.MustParsePrefix("198.51.100.0/24"), 2*time.Hour+time.Minute,
			"evil\x1b[2J reason", ledger.Penalty{})
		tx.Block(netip.MustParsePrefix("2001:db8:1:2::/64"), 2*time.Minute+20*time.Second,
			"pregreet", ledger.Penalty{})
	})
	s, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, l *ledger.Ledger, work func(*ledger.Tx)) {
	t.Helper()
	if err := l.Do(ledger.Now(), work); err != nil {
		t.Fatal(err)
	}
}

// textOf is what lines say.
func textOf(all []line) string {
	var b strings.Builder
	for _, l := range all {
		fmt.Fprintln(&b, l)
	}
	return b.String()
}

// One frame of text says what a made ledger has, word for word.
func TestWriteOnce(t *testing.T) {
	p := lookOfMade(t)
	for i := range p.holders {
		p.holders[i].pid, p.holders[i].oldest = 4242, 83*time.Second
	}
	for _, all := range [][]ranked{p.come.all, p.refused.all, p.blocks.all} {
		for i := range all {
			all[i].Seen, all[i].Age, all[i].Left = 0, 5*time.Second, all[i].Left.Round(time.Minute)
		}
	}
	p.fillTables()
	for name, ascii := range map[string]bool{"once.txt": false, "once-ascii.txt": true} {
		var out bytes.Buffer
		if err := p.writeText(&out, ascii); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil || got != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}

// lookOfMade is a look at a made ledger, of which no count was halved since it was made.
func lookOfMade(t *testing.T) (p *Picture) {
	t.Helper()
	period := func() int64 { return time.Now().UnixMilli() / ledger.HalfLife.Milliseconds() }
	for {
		before := period()
		if p, _ = madeSite(t).look(""); period() == before {
			return p
		}
	}
}

// A frame of any size fits that size, with every table, order, filter and message, and has no byte
// that a terminal would obey. The keys are on the last line.
func TestFrameFits(t *testing.T) {
	s := madeSite(t)
	for _, filter := range []string{"", "192.0.2.1", "pregreet", "nothing"} {
		p, _ := s.look(filter)
		h := busyHistory(p)
		for _, size := range [][2]int{{0, 0}, {1, 1}, {20, 5}, {20, 24}, {80, 24}, {79, 19},
			{200, 60}, {3, 100}, {1000, 2}} {
			for first := range numTables {
				for _, v := range []view{{}, {ascii: true, paused: true, help: true},
					{cursor: 500, sorted: [numTables]int{6, 6, 5, 5}}, {message: "\x1b[2J\n\x9b"},
					{cursor: 3, turned: [numTables]bool{true, true, true, true}, footer: "?"}} {
					v.first, v.filter = first, filter
					checkFrame(t, p.frame(h, &v, size[0], size[1]), size[0], size[1])
				}
			}
		}
	}
}

func checkFrame(t *testing.T, all []line, width, height int) {
	t.Helper()
	if len(all) > height {
		t.Fatalf("%d lines; there is room for %d", len(all), height)
	}
	for _, l := range all {
		text := l.String()
		if utf8.RuneCountInString(text) > width || strings.ContainsFunc(text, func(r rune) bool {
			return r < ' ' || 0x7f <= r && r <= 0x9f
		}) {
			t.Fatalf("in %d columns: %q", width, text)
		}
	}
}

// busyHistory are ten minutes in which ever more clients come, a third of them refused.
func busyHistory(p *Picture) *history {
	h, at := &history{}, p.At.Truncate(time.Minute)
	for n := range 300 {
		next := *p
		next.At = at.Add(time.Duration(2*n) * time.Second)
		next.Totals.Verdicts[decide.Pass] += uint64(n * n)
		next.Totals.Verdicts[decide.Pregreet] += uint64(n * n / 2)
		h.add(&next)
	}
	return h
}

// The screen of a usual terminal has everything that counts.
func TestFrameOf80x24(t *testing.T) {
	p := lookOfMade(t)
	all := textOf(p.frame(busyHistory(p), &view{}, 80, 24))
	for _, want := range []string{
		"sendwrap top", "networks 14 of 1024", "waiting     11 of 100", "serving     12 of 10",
		"█", "PASS", "PREGREET", "/s", "networks that come most (12)", "networks refused most (4)",
		"192.0.2.1/32 ", keys, "known",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if all := textOf(p.frame(busyHistory(p), &view{ascii: true}, 80, 24)); strings.ContainsFunc(all,
		func(r rune) bool { return r >= 0x7f }) || !strings.Contains(all, "#") {
		t.Errorf("in ASCII:\n%s", all)
	}
}

// A rate is what was counted by the second, whatever the pauses between looks. A ledger that counts
// from zero again makes none.
func TestRates(t *testing.T) {
	p := &Picture{At: time.Unix(1e9, 0)}
	var h history
	for _, seconds := range []int{0, 1, 1, 3, 5, 2} {
		p.At = p.At.Add(time.Duration(seconds) * time.Second)
		p.Totals.Verdicts[decide.Busy] += uint64(7 * seconds)
		h.add(p)
	}
	for i := range h.steps {
		if r := h.steps[i].rate(decide.Verdict.Refuses); r != 7 {
			t.Errorf("%v a second; want 7", r)
		}
	}
	p.At = p.At.Add(time.Second)
	p.Totals.Verdicts = [ledger.Verdicts]uint64{}
	h.add(p)
	if sum := h.late(); sum.verdicts[decide.Busy] != 84 {
		t.Errorf("%d in all; want 84", sum.verdicts[decide.Busy])
	}
}
