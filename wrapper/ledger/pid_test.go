package ledger

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// privateMounts separates this process, alone in a new mount namespace, from the system's mounts.
func privateMounts() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }

// reuseRole is process 1 of a pid namespace, in which it has a pid used twice: LEDGER.
func reuseRole(args []string) error {
	if err := privateMounts(); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return err
	}
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	first := sleeper()
	if err := first.Start(); err != nil {
		return err
	}
	pid := first.Process.Pid
	p := Process{PID: pid}
	if p.Start, err = startTime(pid); err != nil {
		return err
	}
	now := Now()
	if err := l.Do(now, func(t *Tx) { t.Enter(from(hostN(1)), p) }); err != nil {
		return err
	}
	time.Sleep(50 * time.Millisecond) // start times are in ticks of 10 ms
	_ = first.Process.Kill()
	_ = first.Wait()
	second, err := withPID(pid)
	if err != nil {
		return err
	}
	defer func() { _ = second.Process.Kill() }()
	if start, err := startTime(pid); err != nil || start == p.Start {
		return fmt.Errorf("the second process %d: start %d, %v; the first started at %d", pid,
			start, err, p.Start)
	}

	var conns int
	err = l.Do(now.After(time.Second), func(t *Tx) { conns = t.Look(one()).Conns })
	if err != nil || conns != 0 {
		return fmt.Errorf("a process with the pid of one that is gone passes for it: %d "+
			"sessions, %v", conns, err)
	}
	if err := p.Signal(unix.SIGKILL); err != unix.ESRCH {
		return fmt.Errorf("signal to the first process: %v; want ESRCH", err)
	}
	if _, err := startTime(pid); err != nil {
		return fmt.Errorf("a signal for the first process hit the second: %w", err)
	}
	return nil
}

func sleeper() *exec.Cmd { return exec.Command("/bin/sleep", "600") }

// withPID starts a process that gets the pid. Threads of our own may take it, so it may need some
// tries.
func withPID(pid int) (*exec.Cmd, error) {
	for range 100 {
		last := fmt.Sprint(pid - 1)
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(last), 0); err != nil {
			return nil, err
		}
		c := sleeper()
		if err := c.Start(); err != nil {
			return nil, err
		}
		if c.Process.Pid == pid {
			return c, nil
		}
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	return nil, errors.New("the kernel does not hand out the pid again")
}

// A process with a reused pid is not the session's process, and gets no signal for it.
func TestSessionsAndReusedPID(t *testing.T) {
	lab.NeedRoot(t)
	path := filepath.Join(ownDir(t), "ledger")
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS}
	if err := startAs(t, thisProgram, attr, nil, "reuse", path).end(); err != nil {
		t.Error(err)
	}
}

// noProcRole works without /proc: LEDGER.
func noProcRole(args []string) error {
	if err := privateMounts(); err != nil {
		return err
	}
	if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
		return err
	}
	self, boot := Self(), ThisBoot()
	if self.Start != 0 || boot != (Boot{}) {
		return fmt.Errorf("without /proc: %+v, boot %x", self, boot)
	}
	l, _, err := Open(args[0], MinClients, boot)
	if err != nil {
		return err
	}
	var conns int
	err = l.Do(Now().After(time.Second), func(t *Tx) {
		conns = t.Look(one()).Conns
		t.Enter(from(hostN(1)), self)
	})
	if err != nil || conns != 1 {
		return fmt.Errorf("without /proc: %d sessions of others, %v; want 1", conns, err)
	}
	return nil
}

// Without /proc only the pid tells live sessions from dead ones, and the boot always counts as the
// same.
func TestSessionsWithoutProc(t *testing.T) {
	lab.NeedRoot(t)
	l := newLedger(t, MinClients)
	must(t, l, func(tx *Tx) {
		tx.Enter(from(hostN(1)), Self())
		tx.Enter(from(hostN(1)), nobody)
	})
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	c := startAs(t, thisProgram, attr, nil, "noproc", ledgerPath(t, l))
	if err := c.end(); err != nil {
		t.Fatal(err)
	}
	if s := look(t, l, one()); s.Conns != 1 {
		t.Errorf("%d sessions after it has ended; want 1", s.Conns)
	}
	mustAudit(t, l)
}

// /proc/PID/stat is read correctly whatever the program is called.
func TestSessionsAndOddNames(t *testing.T) {
	self := Self()
	for _, name := range []string{"plain", "with blank", "a) R 1 1", ") Z 0 0 (", "((((",
		"\n) X 1\n", strings.Repeat(")", 15)} {
		b := append([]byte(name), 0)
		if err := os.WriteFile("/proc/self/comm", b[:len(name)], 0); err != nil {
			t.Fatal(err)
		}
		if start, err := startTime(self.PID); err != nil || start != self.Start || start == 0 {
			t.Errorf("start time of a process called %q: %d, %v; want %d", name, start, err,
				self.Start)
		}
	}
	if _, err := startTime(maxPID - 1); err != errDead {
		t.Errorf("start time of nobody: %v", err)
	}
}
