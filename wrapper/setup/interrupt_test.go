package setup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// goAway has a process of its own go a way, under the program that command names, if it does.
// killed is whether SIGKILL ended it.
func goAway(t *testing.T, what string, s site, command ...string) (killed bool) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command = append(command, own)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(os.Environ(), way+"="+what+" "+s.dir)
	out, err := cmd.CombinedOutput()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	killed = status.Signaled() && status.Signal() == unix.SIGKILL
	if failed := strings.HasPrefix(what, "end"); !killed && (err != nil) != failed {
		t.Fatalf("%s: %v\n%s", what, err, out)
	}
	return killed
}

// Do is killed between any two steps. Undo restores all, and then all can be done.
func TestKilledBetweenSteps(t *testing.T) {
	lab.NeedRoot(t)
	for i := range len(site{}.plan().Steps) + 1 {
		s := newSite(t)
		if !goAway(t, fmt.Sprint("do", i), s) {
			t.Fatalf("step %d does not kill it", i)
		}
		s.undo(t)
		s.isUndone(t)
		s.do(t)
		s.isDone(t)
		s.undo(t)
		s.isUndone(t)
	}
}

// Do and Undo are killed at each system call by which they change a file, or wait for the disk.
func TestKilledAtSystemCalls(t *testing.T) {
	lab.NeedRoot(t)
	strace := lab.NeedProgram(t, "strace")
	const calls = "mkdirat,fchown,fchmod,fsync,rename,renameat,renameat2,unlink,unlinkat,rmdir"
	for _, what := range []string{"do", "undo"} {
		kills := 0
		for n := 1; ; n++ {
			s := newSite(t)
			if what == "undo" {
				s.do(t)
			}
			kill := "inject=" + calls + ":signal=KILL:when=" + strconv.Itoa(n)
			ended := !goAway(t, what, s, strace, "-f", "-o", os.DevNull,
				"-e", "trace="+calls, "-e", kill)
			if ended && what == "do" {
				s.isDone(t)
			}
			if !ended || what == "do" {
				undoIfAny(t, s)
			}
			s.isUndone(t)
			if ended {
				break
			}
			kills++
		}
		if kills < 10 {
			t.Errorf("%s was killed at %d system calls; want more", what, kills)
		}
	}
}

// undoIfAny takes back what was done. A way that was killed early or late has left nothing to undo.
func undoIfAny(t *testing.T, s site) {
	t.Helper()
	var out strings.Builder
	if err := Undo(s.journal(), &out); err != nil && !errors.Is(err, ErrNothing) {
		t.Errorf("undo: %v\n%s", err, &out)
	}
}

// After a crash of the machine the journal is there: the disk has its directory, too.
func TestDiskHasTheDirectory(t *testing.T) {
	lab.NeedRoot(t)
	s, trace := newSite(t), filepath.Join(t.TempDir(), "trace")
	goAway(t, "do", s, lab.NeedProgram(t, "strace"), "-f", "-y", "-e", "trace=fsync", "-o", trace)
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(s.journal()), s.journal()} {
		if !strings.Contains(string(text), "<"+dir+">") {
			t.Errorf("%s is not written to the disk:\n%s", dir, text)
		}
	}
}

// A command runs on when Do is killed. Undo waits for its end, and undoes that.
func TestKilledDuringCommand(t *testing.T) {
	lab.NeedRoot(t)
	s := newSite(t)
	if !goAway(t, "orphan", s) {
		t.Fatal("it is not killed")
	}
	s.undo(t)
	lab.Eventually(t, "the command ends", func() bool {
		_, err := os.Stat(s.dir + ".ended")
		return err == nil
	})
	s.isUndone(t)
}
