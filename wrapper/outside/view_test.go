package outside

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/ledger"
)

// Configuration and ledger are followed; where the file goes away, its last content holds.
func TestRefresh(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path, file := filepath.Join(dir, "ledger"), filepath.Join(dir, "sendwrap.conf")
	write := func(lines string) {
		text := "mta /bin/true\nledger " + path + " clients=1024\n" + lines
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verdicts := func(v *View) (n uint64) {
		totals, _, err := v.Ledger.Report(ledger.Now())
		if err != nil {
			t.Fatal(err)
		}
		return totals.Verdicts[1]
	}
	if _, err := Open(file, allowlist.All); err == nil {
		t.Error("what is not there was read")
	}
	write("max_sessions 77\nnonsense\n")
	v, err := Open(file, allowlist.All)
	if err != nil {
		t.Fatal(err)
	}
	if v.Config.MaxSessions != 77 || v.Mistakes != 1 || v.Refresh() == nil {
		t.Errorf("max_sessions %d, mistakes %d, and a ledger", v.Config.MaxSessions, v.Mistakes)
	}
	for n := range 2 { // the second replaces the first
		_ = os.Remove(path)
		h := &ledger.Handle{Options: ledger.Options{Path: path, Clients: 1024}}
		if err := h.Open(); err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := h.Run(func(tx *ledger.Tx) { tx.Count(1) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := v.Refresh(); err != nil || verdicts(v) != uint64(n) {
			t.Errorf("ledger %d: %v, %d verdicts", n, err, verdicts(v))
		}
		_ = h.Close()
	}
	write("max_sessions 78\n")
	v.readAt = time.Now().Add(time.Hour)
	if v.Refresh() != nil || v.Config.MaxSessions != 77 {
		t.Error("the configuration was read within a minute")
	}
	v.readAt = time.Time{}
	if v.Refresh() != nil || v.Config.MaxSessions != 78 || v.Mistakes != 0 {
		t.Errorf("max_sessions %d, mistakes %d", v.Config.MaxSessions, v.Mistakes)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	v.readAt = time.Time{}
	if v.Refresh() != nil || v.Config.MaxSessions != 78 || v.Unread == nil {
		t.Errorf("max_sessions %d, %v", v.Config.MaxSessions, v.Unread)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}
