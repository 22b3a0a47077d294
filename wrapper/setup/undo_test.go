package setup

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// An administrator has edited a file since. Nothing is taken back until our line is out of it; then
// the file stays as it is.
func TestEditedSince(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	s.do(t)
	s.write(t, "mta.conf", newMTA+"\nport 465")
	done := s.files(t)

	var out strings.Builder
	if err := Undo(s.journal(), &out); !errors.Is(err, ErrEdited) {
		t.Fatalf("undo: %v; want %v", err, ErrEdited)
	}
	for _, want := range []string{
		s.file("mta.conf") + ": was edited since",
		"\n-no port 25\n", "\n+port 25\n", "\n-port 465\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("undo says\n%s\nwant %q", &out, want)
		}
	}
	s.has(t, done)

	const mine = oldMTA + "\nport 465"
	s.write(t, "mta.conf", mine)
	s.undo(t)
	s.has(t, map[string]string{"mta.conf": mine, "made.conf": mine})
}

// Of a file on which nothing depends, undo only says that it was edited.
func TestEditedLoosely(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	p := s.plan()
	p.Steps[3].File.Loose = true
	if err := p.Do(s.journal(), new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	const mine = newOne + "mode enforce\n"
	s.write(t, "new.conf", mine)
	if said := s.undo(t); !strings.Contains(said, "new.conf: was edited since") {
		t.Errorf("undo says\n%s", said)
	}
	s.has(t, map[string]string{"mta.conf": oldMTA, "made.conf": oldMTA, "new.conf": mine})
}

// What an administrator has taken back by hand stays so.
func TestTakenBackByHand(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	s.do(t)
	if err := os.Remove(s.file("new.conf")); err != nil {
		t.Fatal(err)
	}
	s.undo(t)
	s.isUndone(t)
	if err := Undo(s.journal(), os.Stdout); !errors.Is(err, ErrNothing) {
		t.Errorf("a second undo: %v; want %v", err, ErrNothing)
	}
}

// A file that is edited while Do is at work stays as it is, and all others are as before.
func TestEditedMeanwhile(t *testing.T) {
	lab.NeedRoot(t)
	for _, tt := range []struct {
		step       int
		edit, want string
	}{{1, "echo mine >", "mine\n"}, {1, "rm ", ""}, {3, "echo mine >", "mine\n"}} {
		s := newSite(t)
		file := s.plan().Steps[tt.step].File
		p := &Plan{Steps: []Step{
			{File: &File{Name: s.file("made.conf"), Old: oldMTA, Text: newMTA}},
			{Do: tt.edit + file.Name}, {File: file},
		}}
		err := p.Do(s.journal(), new(strings.Builder))
		const want = "was changed meanwhile; type it again; everything is as before"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s%s: %v; want %q", tt.edit, file.Name, err, want)
		}
		if got, _ := readFile(file.Name); got.text != tt.want {
			t.Errorf("%s%s: it has %q; want %q", tt.edit, file.Name, got.text, tt.want)
		}
		if made, err := readFile(s.file("made.conf")); made.text != oldMTA {
			t.Errorf("%s%s: made.conf has %q, %v", tt.edit, file.Name, made.text, err)
		}
	}
}

// The directory was there before, with files of an administrator, which stay.
func TestKeepsOthersFiles(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	mine := filepath.Join(s.journal(), "main.cf.old")
	if err := errors.Join(os.MkdirAll(s.journal(), 0o700),
		writeNew(mine, content{text: "mine"})); err != nil {
		t.Fatal(err)
	}
	s.do(t)
	s.undo(t)
	if err := Undo(s.journal(), os.Stdout); !errors.Is(err, ErrNothing) {
		t.Errorf("a second undo: %v; want %v", err, ErrNothing)
	}
	if all, err := os.ReadDir(s.journal()); err != nil || len(all) != 1 {
		t.Errorf("the directory has %v, %v; want only %s", all, err, mine)
	}
}

// A journal that is a link is not ours: its commands are not run.
func TestLinkInPlaceOfJournal(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	s.do(t)
	journal := filepath.Join(s.journal(), journalName)
	if err := errors.Join(os.Rename(journal, journal+".real"),
		os.Symlink(journal+".real", journal)); err != nil {
		t.Fatal(err)
	}
	err := Undo(s.journal(), new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "journal: is a link") {
		t.Errorf("undo: %v; want that the journal is a link", err)
	}
	s.isDone(t)
}

// A command that can no longer succeed stops no other. The error says how to do without it.
func TestUndoByHand(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	p := s.plan()
	p.Steps[4].Undo += "; echo no such unit >&2; exit 5"
	if err := p.Do(s.journal(), new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	want := "no such unit\nrepair that, and type sendwrap setup -undo again; or take the rest " +
		"back yourself (" + s.journal() + " has the old files), and remove that directory"
	for range 2 {
		err := Undo(s.journal(), new(strings.Builder))
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("undo: %v; want %q", err, want)
		}
		s.has(t, map[string]string{"mta.conf": oldMTA, "made.conf": oldMTA})
	}
	if err := os.RemoveAll(s.journal()); err != nil {
		t.Fatal(err)
	}
	s.isUndone(t)
	s.do(t)
}

// A file that was removed since stays so, and undo shows what was in it.
func TestRemovedSince(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	p := s.plan()
	p.Steps[0].Undo = ""
	if err := p.Do(s.journal(), new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.file("mta.conf")); err != nil {
		t.Fatal(err)
	}
	if said := s.undo(t); !strings.Contains(said, "mta.conf: was removed since") ||
		!strings.Contains(said, "\n+port 25\n") {
		t.Errorf("undo says\n%s", said)
	}
	s.has(t, map[string]string{"made.conf": newMTA})
}

// All is taken back, and the MTA does not greet: undo says so once.
func TestNoGreetingAfterUndo(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	mta := startMTA(t)
	p := s.plan()
	p.Goal.Greeted = append(p.Goal.Greeted, mta.Addr().(*net.TCPAddr).AddrPort())
	if err := p.Do(s.journal(), new(strings.Builder)); err != nil {
		t.Fatal(err)
	}
	mta.Close()
	err := Undo(s.journal(), new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "all is taken back, but: no greeting at 127.") {
		t.Errorf("undo: %v", err)
	}
	s.isUndone(t)
}

// A step that fails, and SIGTERM, take everything back.
func TestTakesBackByItself(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	for i := range s.plan().Steps {
		p := s.plan()
		p.Steps = append(p.Steps[:i+1], Step{What: "fail", Do: "echo why >&2; exit 3"})
		err := p.Do(s.journal(), new(strings.Builder))
		const want = "exit status 3\nwhy; everything is as before"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("step %d fails: %v", i+1, err)
		}
		s.isUndone(t)
		if goAway(t, fmt.Sprint("end", i), s) {
			t.Error("it is killed")
		}
		s.isUndone(t)
	}
}

// What makes a Do end before it has changed anything.
func TestChangesNothing(t *testing.T) {
	lab.NeedRoot(t)
	for _, tt := range []struct {
		what, want string
		make       func(s site, p *Plan) error
	}{
		{"no room for copies", "no space left on device", func(s site, p *Plan) error {
			p.Steps[1].File.Text = strings.Repeat("x", 1<<20)
			t.Cleanup(func() { _ = unix.Unmount(s.file("state"), 0) })
			return errors.Join(os.Mkdir(s.file("state"), 0o700),
				unix.Mount("tmpfs", s.file("state"), "tmpfs", 0, "size=64k,mode=700"))
		}},
		{"a file has changed since the plan", "was changed meanwhile", func(s site, p *Plan) error {
			p.Steps[1].File.Old = "other"
			return nil
		}},
		{"a new file is there already", "was changed meanwhile", func(s site, _ *Plan) error {
			return writeNew(s.file("new.conf"), content{text: "mine"})
		}},
		{"a link", "is a link", func(s site, p *Plan) error {
			return errors.Join(os.Rename(s.file("mta.conf"), s.file("real")),
				os.Symlink("real", s.file("mta.conf")))
		}},
		{"others can write the journal", "lets others replace what is in it",
			func(s site, _ *Plan) error {
				return errors.Join(os.Mkdir(s.file("state"), 0o700), os.Mkdir(s.journal(), 0o700),
					os.Chmod(s.journal(), 0o777))
			}},
		{"another setup runs", ErrRuns.Error(), func(s site, _ *Plan) error {
			j, err := openJournal(s.journal(), true)
			if err == nil {
				t.Cleanup(j.close)
			}
			return err
		}},
		{"it was done", "sendwrap setup -undo takes it back", func(s site, p *Plan) error {
			return s.plan().Do(s.journal(), new(strings.Builder))
		}},
	} {
		s := newSite(t)
		p := s.plan()
		if err := tt.make(s, p); err != nil {
			t.Fatal(err)
		}
		before := s.list(t)
		err := p.Do(s.journal(), new(strings.Builder))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.what, err, tt.want)
		}
		if after := s.list(t); after != before {
			t.Errorf("%s: files are\n%s\nwant\n%s", tt.what, after, before)
		}
	}
}
