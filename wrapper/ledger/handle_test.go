package ledger

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// logged is the log of a test's handle.
type logged struct{ lines []string }

func (l *logged) add(text string) { l.lines = append(l.lines, text) }

// newHandle is a handle on a new ledger, and the ledger once more.
func newHandle(t *testing.T, o Options) (*Handle, *Ledger, *logged) {
	t.Helper()
	other := newLedger(t, MinClients)
	log := &logged{}
	o.Path, o.Clients, o.Without, o.Warn, o.Note = other.path, MinClients, "on we go", log.add,
		log.add
	h := &Handle{Options: o}
	if err := h.Open(); err != nil || !h.IsOpen() {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, other, log
}

// A process with many clients that could not have the ledger leaves it alone for a while, and does
// not ask even if it is free by then: otherwise each of its clients would wait for it. A process
// with one client asks again.
func TestHandleRests(t *testing.T) {
	for want, least := range map[error]time.Duration{
		ErrCrowded: crowdedRest, &HeldError{PID: 1}: heldRest,
	} {
		h, other, _ := newHandle(t, Options{Many: true, Room: aRoom()})
		if h.CrowdPatience != manyPatience {
			t.Errorf("it waits for %v", h.CrowdPatience)
		}
		began := Now()
		h.noteError(began, want)
		if rests := h.restUntil - began.Boot; rests < least || !h.NeedsResync() {
			t.Fatalf("%v; rests for %v; want %v at least", want, rests, least)
		}
		asked := false
		ask := func() error { return h.Run(func(*Tx) { asked = true }) }
		h.restUntil += time.Hour // so that it is not over meanwhile
		if err := ask(); err != want || asked {
			t.Errorf("%v, then %v, asked %v", want, err, asked)
		}
		must(t, other, func(tx *Tx) { tx.Block(networkN(1), time.Hour, "test", Penalty{}) })
		if networks, last, _ := h.BlocksSince(1); networks != nil || last != 1 {
			t.Errorf("it asks for blocks while it rests: %v, %d", networks, last)
		}
		h.restUntil = 0
		if err := ask(); err != nil || !asked {
			t.Errorf("when the rest is over: %v, asked %v", err, asked)
		}
		if _, last, _ := h.BlocksSince(1); last == 1 {
			t.Error("when the rest is over it learns of no block")
		}
	}
	h, _, _ := newHandle(t, Options{})
	h.noteError(Now(), ErrCrowded)
	if h.restUntil != 0 || h.NeedsResync() || h.Run(func(*Tx) {}) != nil {
		t.Errorf("one client: rests until %v", h.restUntil)
	}
}

// A process with many clients rests when it has waited for its lock in vain. Work for one client in
// a hurry changes neither that patience nor the rest.
func TestHandleInAHurry(t *testing.T) {
	h, other, _ := newHandle(t, Options{Many: true})
	release := holds(t, other)
	defer release()
	for err := error(nil); err != ErrCrowded; { // ErrBusy if this process has no processor for long
		h.restUntil, h.CrowdPatience = 0, time.Hour
		if err = h.RunWithin(time.Millisecond, func(*Tx) {}); err == nil {
			t.Fatal("worked without the lock")
		}
	}
	if h.restUntil != 0 || h.CrowdPatience != time.Hour {
		t.Errorf("rests until %v; waits for %v", h.restUntil, h.CrowdPatience)
	}
	h.CrowdPatience = time.Millisecond
	if err := h.Run(func(*Tx) {}); err == nil || h.restUntil == 0 {
		t.Errorf("the others: %v; rests until %v", err, h.restUntil)
	}
}

// A room is registered. Its sessions are freed when it closes the ledger, and those that it does
// not know are when it asks for that; a guard frees none.
func TestHandleOfARoom(t *testing.T) {
	room := Self()
	room.Shared = true
	h, other, _ := newHandle(t, Options{Many: true, Room: room})
	if !other.HasRoom() {
		t.Error("the room is not registered")
	}
	enter := func(n int) (s Session) {
		must(t, other, func(tx *Tx) { s, _ = tx.Enter(from(hostN(n)), room) })
		return s
	}
	kept := enter(1)
	enter(2)
	h.unwritten = true
	live := func() int {
		_, all, err := other.Report(Now())
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if !h.FreeExcept(func(s Session) bool { return s == kept }) || live() != 1 || h.NeedsResync() {
		t.Errorf("%d sessions, needs a resync: %v", live(), h.NeedsResync())
	}
	guard := Handle{Options: Options{Path: h.Path, Clients: MinClients, Many: true}}
	if err := guard.Open(); err != nil {
		t.Fatal(err)
	}
	if _ = guard.Close(); live() != 1 {
		t.Errorf("%d sessions when the guard has closed its ledger", live())
	}
	if _ = h.Close(); live() != 0 || h.IsOpen() {
		t.Errorf("%d sessions when the room has closed its ledger", live())
	}
}

// Without a ledger every method returns ErrLost or does nothing.
func TestHandleWithoutLedger(t *testing.T) {
	var h Handle
	if err := h.Run(func(*Tx) {}); err != ErrLost {
		t.Errorf("Run: %v", err)
	}
	if err := h.RunWithin(time.Second, func(*Tx) {}); err != ErrLost {
		t.Errorf("RunWithin: %v", err)
	}
	h.CountUnlocked(1)
	h.CountFailOpen(ErrCrowded)
	h.CountIdle()
	h.RegisterRoom(Self(), "")
	_, known := h.Peek(Now(), one())
	_, blocksErr := h.Blocks(Now())
	_, _, reportErr := h.Report(Now())
	_, trimErr := h.Trim(Now(), 1)
	_, last, _ := h.BlocksSince(7)
	if known || h.HasRoom() || !h.ClaimLog(Now(), "x") || last != 7 || h.Close() != nil ||
		h.FreeExcept(func(Session) bool { return false }) {
		t.Errorf("known %v, room %v, last %d", known, h.HasRoom(), last)
	}
	for _, err := range []error{blocksErr, reportErr, trimErr} {
		if err != ErrLost {
			t.Errorf("%v", err)
		}
	}
}

// OpenExisting makes nothing, and takes a ledger of any size.
func TestHandleOpensExisting(t *testing.T) {
	dir := filepath.Join(ownDir(t), "dir")
	h := Handle{Options: Options{Path: filepath.Join(dir, "ledger")}}
	if err := h.OpenExisting(); !errors.Is(err, os.ErrNotExist) || h.IsOpen() {
		t.Errorf("no directory: %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it has made the directory")
	}
	l, _ := mustOpen(t, h.Path, 2*MinClients)
	if err := h.OpenExisting(); err != nil || !h.IsOpen() || h.geo != l.geo {
		t.Errorf("%v, %+v", err, h.geo)
	}
	_ = h.Close()
}

// Check refuses a place at which no ledger can be made, and accepts one that Open can use. All that
// Open refuses TestPrivateRefusals holds against Check.
func TestHonestCheck(t *testing.T) {
	top := ownDir(t)
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{top + "/dir/ledger", ""},
		{top + "/ledger", ""},
		{file, ""}, // it is set aside
		{newLedger(t, MinClients).path, ""},
		{top + "/a/b/ledger", "there is no directory TOP/a; mkdir -p -m 0700 TOP/a/b"},
		{file + "/ledger", "open TOP/file: not a directory; name another place, such as " +
			"/var/lib/sendwrap/ledger"},
	} {
		got := ""
		if err := Check(tt.path); err != nil {
			got = err.Error()
		}
		if want := strings.ReplaceAll(tt.want, "TOP", top); got != want {
			t.Errorf("%s: %q; want %q", tt.path, got, want)
		}
	}
	if err := notWritable(file, unix.EROFS); err.Error() != file+" cannot be written to: "+
		"read-only file system; name another place for the ledger" {
		t.Error(err)
	}
}

// No program opens a ledger but by a Handle: its tests alone do.
func TestHandleIsTheOneWay(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{".git", "tests", "testdata"}, e.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".go", strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				pkg, _ := sel.X.(*ast.Ident)
				if pkg != nil && pkg.Name == "ledger" && sel.Sel.Name == "Handle" {
					found++
				}
				if pkg != nil && pkg.Name == "ledger" && sel.Sel.Name == "Open" {
					t.Errorf("%s calls ledger.Open", path)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%v; %d handles", err, found)
	}
}
