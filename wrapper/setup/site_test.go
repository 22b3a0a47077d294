package setup

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// site is a directory with the files of an MTA and a super-server: mta.conf, made.conf, which a
// command makes of it, and new.conf, which is not there at first.
type site struct{ dir string }

const (
	oldMTA = "queue\nport 25\nport 587"
	newMTA = "queue\nno port 25\nport 587"
	newOne = "port 25: sendwrap\n"
)

func newSite(t *testing.T) site {
	t.Helper()
	s := site{t.TempDir()}
	for _, name := range []string{"mta.conf", "made.conf"} {
		err := writeNew(s.file(name), content{oldMTA, 0o640, 8, 12})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s site) file(name string) string { return filepath.Join(s.dir, name) }
func (s site) journal() string         { return s.file("state/setup") }

// plan changes both files. made.conf must follow mta.conf on both ways.
func (s site) plan() *Plan {
	read := "cat " + s.file("mta.conf") + " >" + s.file("made.conf")
	return &Plan{Steps: []Step{
		{What: "back", Undo: read},
		{What: "mta", File: &File{Name: s.file("mta.conf"), Old: oldMTA, Text: newMTA}},
		{What: "read", Do: read},
		{What: "new", File: &File{Name: s.file("new.conf"), Text: newOne, Mode: 0o644}},
		{What: "start", Do: "touch " + s.file("runs"), Undo: "rm -f " + s.file("runs")},
	}}
}

// files are the texts of all files in the directory but those of the journal.
func (s site) files(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob(s.file("*"))
	hidden, hiddenErr := filepath.Glob(s.file(".*"))
	if err = errors.Join(err, hiddenErr); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, name := range append(names, hidden...) {
		if filepath.Base(name) == "state" {
			continue
		}
		c, err := readFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = c.text
	}
	return all
}

// isDone checks that all files are as the plan has them.
func (s site) isDone(t *testing.T) {
	t.Helper()
	s.has(t, map[string]string{
		"mta.conf": newMTA, "made.conf": newMTA, "new.conf": newOne, "runs": "",
	})
}

// isUndone checks that all is as before, and that there is no journal.
func (s site) isUndone(t *testing.T) {
	t.Helper()
	s.has(t, map[string]string{"mta.conf": oldMTA, "made.conf": oldMTA})
	if _, err := os.Lstat(s.journal()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the journal: %v; want none", err)
	}
	c, err := readFile(s.file("mta.conf"))
	if err != nil || c.mode != 0o640 || c.uid != 8 || c.gid != 12 {
		t.Errorf("mta.conf: mode %o, owner %d:%d, %v", c.mode, c.uid, c.gid, err)
	}
}

func (s site) has(t *testing.T, want map[string]string) {
	t.Helper()
	if got := s.files(t); !maps.Equal(got, want) {
		t.Errorf("files are %q; want %q", got, want)
	}
}

func (s site) do(t *testing.T) {
	t.Helper()
	var out strings.Builder
	if err := s.plan().Do(s.journal(), &out); err != nil {
		t.Fatalf("do: %v\n%s", err, &out)
	}
}

func (s site) undo(t *testing.T) (said string) {
	t.Helper()
	var out strings.Builder
	if err := Undo(s.journal(), &out); err != nil {
		t.Errorf("undo: %v\n%s", err, &out)
	}
	return out.String()
}

// write is what an editor does.
func (s site) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// list has the names, sizes and times of all files but those of the journal.
func (s site) list(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("ls", "-Al", "--full-time", "--ignore=state", s.dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(out), "\n") // the total
	return list
}
