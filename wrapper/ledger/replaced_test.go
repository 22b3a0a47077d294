package ledger

import (
	"os"
	"path/filepath"
	"testing"
)

// Replaced reports that the path names another file, or none, and nothing else.
func TestHonestReplaced(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, l *Ledger, path string) error
		want bool
	}{
		{"nothing", func(*testing.T, *Ledger, string) error { return nil }, false},
		{"work", func(t *testing.T, l *Ledger, _ string) error {
			return l.Do(Now(), func(tx *Tx) { tx.Enter(one(), Self()) })
		}, false},
		{"opened again", func(t *testing.T, _ *Ledger, path string) error {
			mustOpen(t, path, MinClients)
			return nil
		}, false},
		{"its mode changed", func(_ *testing.T, _ *Ledger, path string) error {
			return os.Chmod(path, 0o400)
		}, false},
		{"moved away and back", func(_ *testing.T, _ *Ledger, path string) error {
			_ = os.Rename(path, path+".away")
			return os.Rename(path+".away", path)
		}, false},
		{"removed", func(_ *testing.T, _ *Ledger, path string) error { return os.Remove(path) },
			true},
		{"its directory removed", func(_ *testing.T, _ *Ledger, path string) error {
			return os.RemoveAll(filepath.Dir(path))
		}, true},
		{"its directory is a file", func(_ *testing.T, _ *Ledger, path string) error {
			_ = os.RemoveAll(filepath.Dir(path))
			return os.WriteFile(filepath.Dir(path), nil, 0o600)
		}, true},
		{"rebuilt with another size", func(t *testing.T, _ *Ledger, path string) error {
			mustOpen(t, path, 2*MinClients)
			return nil
		}, true},
		{"removed and made again", func(t *testing.T, _ *Ledger, path string) error {
			_ = os.Remove(path)
			mustOpen(t, path, MinClients)
			return nil
		}, true},
		{"set aside as bad", func(t *testing.T, l *Ledger, path string) error {
			clear(l.mem[:page])
			mustOpen(t, path, MinClients)
			return nil
		}, true},
		{"a copy in its place", func(t *testing.T, _ *Ledger, path string) error {
			copyFile(t, path, path+".copy")
			return os.Rename(path+".copy", path)
		}, true},
		{"a link to it in its place", func(_ *testing.T, _ *Ledger, path string) error {
			_ = os.Rename(path, path+".away")
			return os.Symlink(path+".away", path)
		}, true}, // Open would refuse it
		{"closed", func(_ *testing.T, l *Ledger, _ string) error { shut(l); return nil }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(ownDir(t), "own", "ledger")
			for _, how := range []string{"made", "opened"} {
				l, _ := mustOpen(t, path, MinClients)
				if l.Replaced() {
					t.Fatalf("just %s it is replaced", how)
				}
				if how == "made" {
					shut(l)
					continue
				}
				if err := tt.do(t, l, path); err != nil {
					t.Fatal(err)
				}
				if is := l.Replaced(); is != tt.want {
					t.Errorf("replaced: %v; want %v", is, tt.want)
				}
			}
		})
	}
}

// A room whose ledger is replaced by one of another size goes on there with the same tokens.
func TestHonestReplacedUnderARoom(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	var s, gone Session
	must(t, l, func(tx *Tx) {
		gone, _ = tx.Enter(one(), aRoom())
		s, _ = tx.Enter(one(), aRoom())
	})
	mustOpen(t, path, 2*MinClients)
	must(t, l, func(tx *Tx) { tx.Leave(gone) }) // into the old one, which nobody reads any more
	if !l.Replaced() {
		t.Fatal("not replaced")
	}
	l, _ = mustOpen(t, path, 2*MinClients)
	must(t, l, func(tx *Tx) {
		if n := tx.FreeExcept(aRoom(), func(is Session) bool { return is == s }); n != 1 {
			t.Errorf("%d freed; want the one that had left", n)
		}
		tx.Serve(s)
		if st := tx.Look(one()); st.Conns != 1 || st.Serving != 1 || st.Waiting != 0 {
			t.Errorf("%+v; want one session that serves", st)
		}
	})
	mustAudit(t, l)
}

// A ledger may be closed twice: the second time does nothing to what has since got its descriptor
// and addresses.
func TestLostTwice(t *testing.T) {
	path := filepath.Join(ownDir(t), "ledger")
	l, _ := mustOpen(t, path, MinClients)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	other, _ := mustOpen(t, path, MinClients) // gets the descriptor, and mostly the memory
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	mustAudit(t, other)
	if err := l.Do(Now(), func(*Tx) {}); err != ErrLost || !l.Replaced() {
		t.Errorf("a closed ledger: %v, replaced %v; want %v, true", err, l.Replaced(), ErrLost)
	}
}
