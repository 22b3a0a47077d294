package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// daemon is a server that listens by itself, with all processes that it starts.
type daemon struct {
	name  string
	cmd   *osexec.Cmd
	addr  netip.AddrPort
	out   bytes.Buffer // what it has printed
	ours  bool         // must exit with 0 at SIGTERM
	asked usage        // when spent was last called
	// What each of its clients leaves in the log: a key of logReader; "" = nothing.
	log  *logReader
	logs string
}

// daemon starts a program that listens on addr, and returns when it does.
func (l *bench) daemon(addr netip.AddrPort, argv []string, env ...string) *daemon {
	d := l.launch(func() bool { return lab.Listening(addr) }, argv, env...)
	d.addr = addr
	return d
}

// launch starts a program that takes clients once it is up.
func (l *bench) launch(up func() bool, argv []string, env ...string) *daemon {
	d := &daemon{name: filepath.Base(argv[0]), log: l.log}
	if l.group != nil {
		argv = l.group.enter(argv)
	}
	d.cmd = osexec.Command(argv[0], argv[1:]...)
	d.cmd.Env = append(env, "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	d.cmd.WaitDelay = time.Second // what it leaves behind may hold these
	// Some programs send a signal to their whole group when they end.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(d.cmd.Start())
	l.daemons = append(l.daemons, d)
	err := await("it listens", func() (bool, error) {
		if lab.State(d.cmd.Process.Pid) == "Z" {
			return false, errors.New("ended")
		}
		return up(), nil
	})
	if err != nil {
		stopped := d.stop() // then its output is complete
		check(errors.Join(fmt.Errorf("%q: %w\n%s", argv, err, d.out.String()), stopped))
	}
	return d
}

// freePort returns a port of the super-server's address on which nothing listens.
func (l *bench) freePort() netip.AddrPort { return must(lab.FreePort(l.server.addr.Addr())) }

// stop ends the daemon. It reports an error if one of ours does not exit with 0 then. It does
// nothing if the daemon has been stopped already.
func (d *daemon) stop() error {
	if d.cmd.ProcessState != nil {
		return nil
	}
	_ = d.cmd.Process.Signal(unix.SIGTERM)
	late := time.AfterFunc(lab.Patience, func() { _ = d.cmd.Process.Kill() })
	defer late.Stop()
	if err := d.cmd.Wait(); err != nil && d.ours {
		return fmt.Errorf("%s at SIGTERM: %w\n%s", d.name, err, d.out.String())
	}
	return nil
}

// processes returns the process ids of the daemon and of all its descendants.
func (d *daemon) processes() []child {
	children := make(map[child][]child)
	for _, pid := range lab.Processes(func(int) bool { return true }) {
		if field := lab.ProcStat(pid); len(field) > 1 {
			parent, _ := strconv.Atoi(field[1])
			children[child(parent)] = append(children[child(parent)], child(pid))
		}
	}
	all := []child{child(d.cmd.Process.Pid)}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// usage is the CPU time of each process of a daemon.
type usage map[child]time.Duration

// usage returns the CPU time that the daemon has used when it has no work left.
func (d *daemon) usage() (u usage, err error) {
	const (
		pause = 5 * time.Millisecond
		quiet = 20 * time.Microsecond // a thread that wakes to see that nothing is to be done
	)
	last := -time.Hour
	err = await(d.name+" has nothing left to do", func() (bool, error) {
		var sum time.Duration
		u, sum = d.usageNow()
		idle := sum-last < quiet
		if last = sum; !idle {
			time.Sleep(pause)
		}
		return idle, nil
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, d.out.String())
	}
	return u, err
}

// usageNow returns the CPU time of each process up to now, and the sum. One that ends meanwhile
// counts with 0.
func (d *daemon) usageNow() (u usage, sum time.Duration) {
	u = make(usage)
	for _, pid := range d.processes() {
		if t, err := lab.CPU(int(pid)); err == nil {
			u[pid] = t
			sum += t
		}
	}
	return u, sum
}

// spent returns the CPU time that the daemon has used since the last call. All of it: its work for
// a client while others have their turn is part of that client's cost.
func (d *daemon) spent() (time.Duration, error) {
	now, err := d.usage()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for pid, used := range now {
		sum += used - d.asked[pid]
	}
	for pid := range d.asked {
		if _, ok := now[pid]; !ok {
			return 0, fmt.Errorf("process %d has ended, and its CPU time is not known", pid)
		}
	}
	d.asked = now
	return sum, nil
}

// pin lets all processes of the daemon run on these CPUs only. Postfix starts some when the first
// client comes: those are to be pinned, too.
func (d *daemon) pin(on unix.CPUSet) error {
	var errs []error
	for _, c := range d.processes() {
		errs = append(errs, pin(int(c), on))
	}
	return errors.Join(errs...)
}

// pin lets all threads of a process run on these CPUs only. Threads that they start later inherit
// it.
func pin(pid int, on unix.CPUSet) error {
	// A thread may appear while we walk: walk until there was none.
	var done []int
	for {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
		if err != nil {
			return err
		}
		fresh := 0
		for _, task := range tasks {
			tid, err := strconv.Atoi(filepath.Base(task))
			if err != nil || slices.Contains(done, tid) {
				continue
			}
			if err := unix.SchedSetaffinity(tid, &on); err != nil && !errors.Is(err, unix.ESRCH) {
				return os.NewSyscallError("sched_setaffinity", err)
			}
			done, fresh = append(done, tid), fresh+1
		}
		if fresh == 0 {
			return nil
		}
	}
}
