package top

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gdamore/tcell/v2"

	"sendwrap/tests/lab"
)

// keyed is a screen without a terminal, with a look at a made ledger.
func keyed(t *testing.T) (u *screen, acts chan []string) {
	t.Helper()
	s := madeSite(t)
	acts = make(chan []string, 1)
	u = &screen{site: s, looks: make(chan look, 1), done: make(chan string, 1),
		next: time.NewTimer(time.Hour), act: func(args ...string) string {
			acts <- args
			return "done"
		}}
	u.look()
	u.onLook(<-u.looks)
	t.Cleanup(u.finish)
	return u, acts
}

// press has the keys act, and waits for the look that they begin.
func press(t *testing.T, u *screen, keys ...any) {
	t.Helper()
	for _, k := range keys {
		e := tcell.NewEventKey(tcell.KeyRune, 0, tcell.ModNone)
		switch k := k.(type) {
		case rune:
			e = tcell.NewEventKey(tcell.KeyRune, k, tcell.ModNone)
		case tcell.Key:
			e = tcell.NewEventKey(k, 0, tcell.ModNone)
		}
		if u.onKey(e) {
			t.Fatalf("%v ends it", k)
		}
		for u.looking {
			u.onLook(<-u.looks)
		}
	}
}

// Only y after b or u carries out the command, on the network of the line that was asked about. No
// further one is asked for until it is done.
func TestAsksFirst(t *testing.T) {
	u, acts := keyed(t)
	for _, no := range []any{'n', 'Y', 'b', 'u', 'q', ' ', tcell.KeyEnter, tcell.KeyEscape} {
		press(t, u, 'b')
		if !strings.HasPrefix(u.footer, "block 192.0.2.1/32? y for yes") {
			t.Fatalf("it asks %q", u.footer)
		}
		press(t, u, no)
		if u.asked != nil || u.footer != "" || u.message != "nothing done" || u.acting {
			t.Errorf("after %v: %q, %q", no, u.asked, u.message)
		}
	}
	press(t, u, '4', tcell.KeyDown, 'u')
	u.picture.tables[ofBlocks].rows = nil // a look in between
	press(t, u, 'y', '1', 'b')
	if u.asked != nil {
		t.Errorf("%q while a command runs", u.asked)
	}
	want := []string{"unblock", "-f", u.site.File, "2001:db8:1:2::/64"}
	if got := <-acts; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	u.message = <-u.done
	u.acting = false
	press(t, u, '4', 'b', 'y')
	if u.acting || len(acts) > 0 {
		t.Error("a command without a line")
	}
}

// While looks are paused nothing is looked at, nothing changes, and the time counts for no rate.
func TestPause(t *testing.T) {
	u, _ := keyed(t)
	before := u.picture
	u.look()
	press(t, u, 'p')
	if u.look(); u.looking || u.picture != before || !u.history.at.IsZero() {
		t.Errorf("looking %v, another picture %v", u.looking, u.picture != before)
	}
	press(t, u, '/', 'x', tcell.KeyEnter)
	if u.looking || u.picture != before {
		t.Error("a filter looks, though looks are paused")
	}
	if press(t, u, 'p'); u.picture == before || u.picture.filter != "x" {
		t.Errorf("after the pause the filter is %q", u.picture.filter)
	}
}

// Each letter of a filter holds at once. Backspace takes one back, / goes on with what there is,
// and Escape shows all networks.
func TestFilter(t *testing.T) {
	u, _ := keyed(t)
	rows := func() (n [numTables]int) {
		for i := range u.picture.tables {
			n[i] = len(u.picture.tables[i].rows)
		}
		return n
	}
	all := rows()
	for _, s := range []struct {
		keys []any
		want [numTables]int
	}{
		{[]any{'/', '2', '.', '1'}, [numTables]int{4, 1, 1, 0}},
		{[]any{tcell.KeyBackspace2, tcell.KeyBackspace, '8'}, [numTables]int{}},
		{[]any{tcell.KeyEscape}, all},
		{[]any{'/', 'p', 'R', 'e', 'g', tcell.KeyEnter}, [numTables]int{4, 4, 0, 0}},
		{[]any{'/', 'x', tcell.KeyEnter}, [numTables]int{}},
		{[]any{tcell.KeyEscape}, all},
		{[]any{'/', '2', '.', '2', '/', tcell.KeyEnter}, [numTables]int{1, 0, 1, 0}},
	} {
		if press(t, u, s.keys...); rows() != s.want {
			t.Errorf("%q: %v; want %v", u.filter, rows(), s.want)
		}
	}
	for range 2 * longestFilter {
		press(t, u, '/', 'x', '\u0085', '\u202e', tcell.KeyEnter)
	}
	if strings.Trim(u.filter[4:], "x") != "" || len(u.filter) != longestFilter {
		t.Errorf("the filter is %q", u.filter)
	}
}

// The cursor stays within the rows, and help goes with any key, which does nothing else.
func TestCursorAndHelp(t *testing.T) {
	u, _ := keyed(t)
	terminal := tcell.NewSimulationScreen("UTF-8")
	if err := terminal.Init(); err != nil {
		t.Fatal(err)
	}
	defer terminal.Fini()
	u.screen = terminal
	for _, s := range []struct {
		key  any
		want int
	}{{tcell.KeyPgDn, 10}, {tcell.KeyPgDn, 11}, {'j', 11}, {'k', 10}, {tcell.KeyUp, 9},
		{tcell.KeyHome, 0}, {tcell.KeyPgUp, 0}, {tcell.KeyDown, 1}, {tcell.KeyTab, 0}} {
		press(t, u, s.key)
		if u.draw(); u.cursor != s.want {
			t.Errorf("%v: line %d; want %d", s.key, u.cursor, s.want)
		}
	}
	press(t, u, '?', 'b')
	if u.help || u.asked != nil {
		t.Error("the key that closes the help does more")
	}
	press(t, u, tcell.KeyTab, tcell.KeyTab, tcell.KeyTab)
	if u.first != ofCome {
		t.Errorf("list %d after the last", u.first)
	}
	for _, end := range []tcell.Event{tcell.NewEventKey(tcell.KeyCtrlC, 0, tcell.ModNone),
		tcell.NewEventKey(tcell.KeyRune, 'q', tcell.ModNone), tcell.NewEventError(io.EOF)} {
		if !u.onEvent(end) {
			t.Errorf("%#v does not end it", end)
		}
	}
	lab.Eventually(t, "no command runs", func() bool { return !u.acting })
}
