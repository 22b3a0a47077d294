package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// counted is what a program did. None of it takes longer on a slower machine.
type counted struct {
	calls   int // system calls, without those for its own threads
	threads int // system calls to have threads wait for each other, which depend on who comes first
	faults  int // minor page faults
	made    int // threads made
}

// forThreads are the system calls by which a runtime has its threads sleep and wake each other. How
// many there are depends on which thread is quicker. restart_syscall goes on with a wait that was
// disturbed.
var forThreads = map[int]bool{
	unix.SYS_FUTEX: true, unix.SYS_NANOSLEEP: true, unix.SYS_CLOCK_NANOSLEEP: true,
	unix.SYS_SCHED_YIELD: true, unix.SYS_TGKILL: true, unix.SYS_RT_SIGRETURN: true,
	unix.SYS_RESTART_SYSCALL: true,
}

// traceOptions mark stops at system calls, and have new threads traced, too. With traceExec, a
// program stops where it has become another.
const traceOptions = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE
const traceExec = unix.PTRACE_O_TRACEEXEC

// tracer counts what the threads of one process do. All of ptrace(2) belongs to one thread: whoever
// uses a tracer has it locked.
type tracer struct {
	inCall map[int]bool  // by thread: its next stop at a system call is the end of one
	seen   func(tid int) // called where a thread begins a system call; may be nil
	until  string        // the tracing ends where the process becomes this program; "" = never
	counted
}

// errBecame says that the process has become the program for which the tracer was to wait.
var errBecame = errors.New("became another program")

// countProcess counts what a program does for a client that says something at once: from the execve
// by which it starts to its end, or until it becomes the MTA, on one CPU.
func (l *bench) countProcess(p peer, from netip.Addr, opening string) (counted, error) {
	return l.traceProcess(p, from, opening, nil)
}

// traceProcess is countProcess, and calls seen at each system call with the process and the thread.
func (l *bench) traceProcess(p peer, from netip.Addr, opening string, seen func(pid, tid int)) (
	counted, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.traced = true
	v, err := l.arrive(p, from, opening)
	if err != nil {
		return counted{}, err
	}
	defer v.client.close()
	pid := int(v.child)
	all, err := cpus()
	if err == nil {
		_, err = unix.Wait4(pid, nil, unix.WALL, nil)
	}
	if err == nil {
		err = errors.Join(unix.PtraceSetOptions(pid, traceOptions|traceExec), pin(pid, all[0]))
	}
	if err != nil {
		return counted{}, os.NewSyscallError("ptrace", err)
	}
	hasten(pid)
	late := time.AfterFunc(lab.Patience, func() { _ = unix.Kill(pid, unix.SIGKILL) })
	defer late.Stop()
	before := v.child.faults()
	// It is behind its execve: what comes next is the beginning of a call.
	t := tracer{inCall: map[int]bool{pid: false}, until: p.becomes}
	if seen != nil {
		t.seen = func(tid int) { seen(pid, tid) }
	}
	_ = unix.PtraceSyscall(pid, 0)
	usage, err := t.follow(pid)
	switch {
	case errors.Is(err, errBecame):
		t.faults = v.child.faults() - before
		err = unix.PtraceDetach(pid)
		if err == nil {
			_, err = v.child.wait()
		}
	case err == nil && p.becomes != "":
		err = fmt.Errorf("has not become %s", p.becomes)
	default:
		t.faults = int(usage.Minflt) - before
	}
	if err != nil {
		return counted{}, err
	}
	said, err := v.client.rest()
	if err == nil && !p.saidRight(said) {
		err = fmt.Errorf("the client received %q, want %q", said, p.says)
	}
	return t.counted, err
}

// hasten lets all threads of a process run before those of others. What is counted does not depend
// on it; but with each system call the tracer and who is traced wait for each other, and on a busy
// CPU for everybody else. Where there is no right to it (CAP_SYS_NICE), it takes longer.
func hasten(pid int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, task := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(task))
		_ = unix.Setpriority(unix.PRIO_PROCESS, tid, -20)
	}
}

// countDaemon counts what a process that runs already does while run is called.
func countDaemon(c child, run func() error) (counted, error) {
	var t tracer
	ready, over := make(chan error), make(chan error)
	end, begin, err := os.Pipe()
	if err != nil {
		return t.counted, err
	}
	go func() {
		runtime.LockOSThread() // and never unlocks: what is left of tracing ends with the thread
		over <- t.attend(c, end, ready)
	}()
	if err = <-ready; err == nil {
		err = run()
	}
	begin.Close()
	return t.counted, errors.Join(err, <-over)
}

// attend traces the process until the other end of the pipe is closed.
func (t *tracer) attend(c child, end *os.File, ready chan<- error) error {
	// wait4 has no time limit, but returns when a child of ours ends.
	bell := osexec.Command("/bin/cat")
	bell.Stdin = end
	if err := bell.Start(); err != nil {
		ready <- err
		return nil
	}
	end.Close()
	if err := t.seize(int(c)); err != nil {
		ready <- err
		return bell.Wait()
	}
	before := c.faults()
	ready <- nil
	if _, err := t.follow(bell.Process.Pid); err != nil {
		return err
	}
	t.faults = c.faults() - before
	return t.release()
}

// seize begins to trace all threads of a process. One that is interrupted in a system call comes to
// the end of that, or begins it again.
func (t *tracer) seize(pid int) error {
	t.inCall = make(map[int]bool)
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, task := range tasks {
		tid, _ := strconv.Atoi(filepath.Base(task))
		t.inCall[tid] = false
		err = errors.Join(err, unix.PtraceSeize(tid), interrupt(tid),
			unix.PtraceSetOptions(tid, traceOptions), unix.PtraceSyscall(tid, 0))
	}
	return os.NewSyscallError("ptrace", err)
}

// release ends the tracing of all threads.
func (t *tracer) release() (err error) {
	for tid := range t.inCall {
		err = errors.Join(err, interrupt(tid), unix.PtraceDetach(tid))
	}
	return os.NewSyscallError("ptrace", err)
}

// interrupt stops a thread that is traced.
func interrupt(tid int) error {
	err := unix.PtraceInterrupt(tid)
	if err == nil {
		_, err = unix.Wait4(tid, nil, unix.WALL, nil)
	}
	return err
}

// follow counts until the process last, a child of this thread's, ends.
func (t *tracer) follow(last int) (unix.Rusage, error) {
	for {
		var status unix.WaitStatus
		var usage unix.Rusage
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, &usage)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return usage, os.NewSyscallError("wait4", err)
		case !status.Stopped():
			delete(t.inCall, tid)
			if tid != last {
				continue
			}
			if !status.Exited() || status.ExitStatus() != 0 {
				err = fmt.Errorf("ended with wait status %#x, want exit code 0", int(status))
			}
			return usage, err
		}
		if status.TrapCause() == unix.PTRACE_EVENT_EXEC {
			// The other threads are gone, and the one that called execve has the process's number.
			t.inCall = map[int]bool{tid: true}
			if now, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", tid)); now == t.until {
				return usage, errBecame
			}
		}
		err = unix.PtraceSyscall(tid, t.stopped(tid, status))
		if err != nil && !errors.Is(err, unix.ESRCH) { // killed meanwhile
			return usage, os.NewSyscallError("ptrace", err)
		}
	}
}

// stopped counts what a thread has stopped for, and returns the signal that it is to get.
func (t *tracer) stopped(tid int, status unix.WaitStatus) (signal int) {
	const atCall = unix.SIGTRAP | 0x80
	_, known := t.inCall[tid]
	if !known {
		t.inCall[tid] = false
	}
	switch {
	case status.StopSignal() == atCall:
		if !t.inCall[tid] {
			t.call(tid)
		}
		t.inCall[tid] = !t.inCall[tid]
	case status.TrapCause() == unix.PTRACE_EVENT_CLONE:
		t.made++
	case status.TrapCause() > 0: // a seized thread's first stop, or its interruption
	case !known && status.StopSignal() == unix.SIGSTOP: // a new thread's first stop
	default:
		return int(status.StopSignal())
	}
	return 0
}

// call counts the system call that a thread begins.
func (t *tracer) call(tid int) {
	if t.seen != nil {
		t.seen(tid)
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
	number, _, _ := bytes.Cut(text, []byte(" "))
	n, _ := strconv.Atoi(string(number))
	if forThreads[n] {
		t.threads++
	} else {
		t.calls++
	}
}

// faults returns how many minor page faults a process has had, all threads together.
func (c child) faults() int {
	field := lab.ProcStat(int(c))
	if len(field) < 8 {
		return 0
	}
	n, _ := strconv.Atoi(field[7])
	return n
}
