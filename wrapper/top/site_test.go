package top

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// Looks take one percent of a processor at most, the first at a ledger left out.
func TestPauseAfter(t *testing.T) {
	var s Site
	for i, tt := range []struct {
		used   time.Duration
		usable bool
		want   time.Duration
	}{
		{time.Second, false, time.Second}, // no ledger yet
		{time.Second, true, time.Second},
		{time.Millisecond, true, time.Second},
		{30 * time.Millisecond, true, 3 * time.Second},
		{time.Second, false, 100 * time.Second}, // it is gone
		{time.Second, true, time.Second},        // another one
		{time.Second, true, 100 * time.Second},
	} {
		if got := s.pauseAfter(tt.used, tt.usable); got != tt.want {
			t.Errorf("%d: after %v it waits for %v, want %v", i, tt.used, got, tt.want)
		}
	}
}

// write puts a file in the place of another.
func write(t *testing.T, name, text string) {
	t.Helper()
	err := os.WriteFile(name+".new", []byte(text), 0o600)
	if err == nil {
		err = os.Rename(name+".new", name)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// looks looks once, and the trouble must have that text; "" = the look succeeds.
func (s *Site) looks(t *testing.T, trouble string) *Picture {
	t.Helper()
	p, _ := s.look("")
	if p.usable != (trouble == "") || !strings.Contains(p.Trouble, trouble) {
		t.Fatalf("usable %v: %q; want %q", p.usable, p.Trouble, trouble)
	}
	return p
}

// Whatever becomes of the ledger, a look says so, and goes on when there is one.
func TestLedgerChanges(t *testing.T) {
	s := madeSite(t)
	path := s.Config.Ledger.Path
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := func(at int, b byte) string {
		text := append([]byte{}, whole...)
		text[at] = b
		return string(text)
	}
	s.looks(t, "")
	for size := range int64(3) {
		if err := os.Truncate(path, 2000*size); err != nil {
			t.Fatal(err)
		}
		s.looks(t, "ledger") // of which pages are gone
		s.looks(t, "ledger") // which is opened again
		if n := len(s.frame(t)); n != 24 {
			t.Errorf("%d lines", n)
		}
		write(t, path, string(whole))
		s.looks(t, "")
	}
	write(t, path, other(8, 200))
	s.looks(t, "is a ledger of version 200; this program writes")
	write(t, path, other(0, 'x'))
	s.looks(t, "is not a ledger")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.looks(t, "no such file or directory; the first client makes it")
	if err := s.WriteOnce(io.Discard); err == nil {
		t.Error("one frame without a ledger")
	}
	if err := os.Symlink("/etc/passwd", path); err != nil {
		t.Fatal(err)
	}
	s.looks(t, "is not a regular file")
	write(t, path, string(whole))
	if p := s.looks(t, ""); len(p.come.all) != 12 {
		t.Errorf("%d networks", len(p.come.all))
	}
}

func (s *Site) frame(t *testing.T) []line {
	t.Helper()
	p, _ := s.look("")
	all := p.frame(new(history), &view{}, 80, 24)
	if !p.usable && !strings.Contains(textOf(all), "waiting      - of ") {
		t.Errorf("a number, though nobody knows:\n%s", textOf(all))
	}
	return all
}

// A look takes no lock: it sees everything while another process holds the ledger.
func TestLookTakesNoLock(t *testing.T) {
	s := madeSite(t)
	l, _, err := ledger.Open(s.Config.Ledger.Path, 1024, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	must(t, l, func(*ledger.Tx) {
		if p := s.looks(t, ""); len(p.come.all) != 12 || p.Totals.Serving != 12 {
			t.Errorf("%d networks, %d are served", len(p.come.all), p.Totals.Serving)
		}
	})
}
