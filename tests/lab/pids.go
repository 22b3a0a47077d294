package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// PidsGroup is a cgroup that limits the number of its processes and threads, as systemd does by
// TasksMax=.
type PidsGroup struct {
	t   testing.TB
	dir string
}

// NewPidsGroup makes one, of version 1 or 2, and skips the test if that is impossible. It is
// removed with the test, whose processes must have ended by then.
func NewPidsGroup(t testing.TB) *PidsGroup {
	t.Helper()
	name := filepath.Base(Dir()) + "-" + strings.ReplaceAll(t.Name(), "/", "-")
	for _, parent := range []string{"/sys/fs/cgroup/pids", "/sys/fs/cgroup"} {
		g := &PidsGroup{t, filepath.Join(parent, name)}
		if os.Mkdir(g.dir, 0o755) != nil {
			continue
		}
		t.Cleanup(func() {
			Eventually(t, "the cgroup is empty", func() bool { return os.Remove(g.dir) == nil })
		})
		if _, err := os.Stat(g.file("pids.max")); err == nil {
			return g
		}
	}
	Need(t, "no cgroup with the controller pids; mount one and run the test as root")
	return nil
}

// Limit allows n processes and threads from now on; -1 is any number. Existing ones stay.
func (g *PidsGroup) Limit(most int) {
	g.t.Helper()
	text := fmt.Sprint(most)
	if most < 0 {
		text = "max"
	}
	g.write("pids.max", text)
}

// Add puts a process with all its threads into the group.
func (g *PidsGroup) Add(pid int) {
	g.t.Helper()
	g.write("cgroup.procs", fmt.Sprint(pid))
}

func (g *PidsGroup) file(name string) string { return filepath.Join(g.dir, name) }

func (g *PidsGroup) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(g.file(name), []byte(text), 0); err != nil {
		g.t.Fatal(err)
	}
}
