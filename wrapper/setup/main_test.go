package setup

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// way names what this program is to do in place of the tests, in a directory: "do DIR", "undo DIR",
// or "do2 DIR", which gets SIGKILL before step 2, or "end2 DIR", which gets SIGTERM there.
const way = "SENDWRAP_SETUP_TEST"

// The tests have a network of their own, where nobody listens.
func TestMain(m *testing.M) {
	if what, dir, found := strings.Cut(os.Getenv(way), " "); found {
		os.Exit(goAlone(what, site{dir}))
	}
	os.Exit(lab.Isolate(lab.Setup{Run: m.Run}))
}

// goAlone goes a way with all system calls of our own in one thread, so that strace counts them.
func goAlone(what string, s site) int {
	runtime.LockOSThread()
	p := s.plan()
	if what == "orphan" {
		late := s.file("late")
		p.Steps = append(p.Steps, Step{Undo: "rm " + late,
			Do: "kill -9 $PPID; sleep 1; touch " + late + " " + s.dir + ".ended"})
		what = "do"
	}
	for begins, command := range map[string]string{
		"do":  "kill -KILL $PPID",
		"end": "kill -TERM $PPID; sleep 0.2", // it is handled a moment later
	} {
		if at, err := strconv.Atoi(strings.TrimPrefix(what, begins)); err == nil {
			p.Steps = slices.Insert(p.Steps, at, Step{Do: command})
		}
	}
	way := func() error { return p.Do(s.journal(), os.Stdout) }
	if what == "undo" {
		way = func() error { return Undo(s.journal(), os.Stdout) }
	}
	err := way()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}
