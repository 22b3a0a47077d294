package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// memoryGroup is a memory cgroup of our own. The kernel charges to it all that its processes cost,
// page tables, kernel stacks and task structures included, which no file of /proc/PID shows.
type memoryGroup struct {
	dir  string
	home string // the cgroup that this program is in
	// The sum of these: keys of memory.stat, and files that hold one number. Both are exact, while
	// memory.usage_in_bytes and memory.current count in batches of 64 pages a CPU. Page cache is
	// left out: it belongs to no process in particular.
	keys, files []string
}

// groupName is the name of the memory cgroup of a run whose programs are in dir.
func groupName(dir string) string { return filepath.Base(dir) }

// newMemoryGroup makes a memory cgroup of this name.
func newMemoryGroup(name string) (*memoryGroup, error) {
	g, err := findMemoryGroup(name)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	if _, err := g.charged(); err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// findMemoryGroup says where a memory cgroup of this name is or would be: of version 1 or 2, where
// these are usually mounted.
func findMemoryGroup(name string) (*memoryGroup, error) {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	g := &memoryGroup{}
	for line := range strings.Lines(string(membership)) {
		// "4:memory:/path" in version 1, "0::/path" in version 2.
		field := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		switch {
		case len(field) == 3 && field[1] == "memory":
			g.home = filepath.Join("/sys/fs/cgroup/memory", field[2])
			g.dir = filepath.Join(g.home, name)
			g.keys, g.files = []string{"total_rss"}, []string{"memory.kmem.usage_in_bytes"}
		case len(field) == 3 && field[0] == "0" && g.home == "":
			g.home = filepath.Join("/sys/fs/cgroup", field[2])
			// Beside home: one of version 2 that holds processes gives its children no controller.
			g.dir = filepath.Join("/sys/fs/cgroup", filepath.Dir(field[2]), name)
			g.keys = []string{"anon", "kernel"}
		}
	}
	if g.dir == "" {
		return nil, errors.New("there is no memory cgroup")
	}
	return g, nil
}

// tryMemoryGroup returns why this program cannot use a memory cgroup; nil if it can.
func tryMemoryGroup(name string) error {
	g, err := newMemoryGroup(name)
	if err != nil {
		return err
	}
	return errors.Join(g.within(func() error { return nil }), g.remove())
}

// remove removes the cgroup. All processes in it must have been waited for, or be about to end:
// nobody waits for those whose parent has ended.
func (g *memoryGroup) remove() (err error) {
	lab.Await(func() bool { err = os.Remove(g.dir); return !errors.Is(err, unix.EBUSY) })
	return err
}

// removeMemoryGroup removes the cgroup of a run that was killed.
func removeMemoryGroup(name string) error {
	g, err := findMemoryGroup(name)
	if err != nil {
		return nil // so there was none
	}
	if err := g.remove(); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// within calls run while this program is a member: the processes that run starts remain members.
func (g *memoryGroup) within(run func() error) error {
	if err := join(g.dir); err != nil {
		return err
	}
	return errors.Join(run(), join(g.home))
}

// enter returns the command line that makes argv a member. This program itself is never one, not
// even for a moment: its charges of that moment would go when it goes.
func (g *memoryGroup) enter(argv []string) []string {
	procs := filepath.Join(g.dir, "cgroup.procs")
	return append([]string{"/bin/sh", "-c", `echo 0 >"$0" && exec "$@"`, procs}, argv...)
}

// join moves this program, all its threads, into the cgroup dir.
func join(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0)
}

// charged returns the memory charged to the cgroup now, in bytes.
func (g *memoryGroup) charged() (int, error) {
	stat, err := os.ReadFile(filepath.Join(g.dir, "memory.stat"))
	if err != nil {
		return 0, err
	}
	sum := 0
	for _, key := range g.keys {
		_, after, ok := strings.Cut("\n"+string(stat), "\n"+key+" ")
		number, _, _ := strings.Cut(after, "\n")
		n, err := strconv.Atoi(number)
		if !ok || err != nil {
			return 0, fmt.Errorf("%s/memory.stat: no number %q", g.dir, key)
		}
		sum += n
	}
	for _, name := range g.files {
		text, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}
