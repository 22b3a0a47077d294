package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What a process that makes a measurement is told: which one, and where the built programs are.
const (
	insideName = "SENDWRAP_BENCH_NAME"
	insideDir  = "SENDWRAP_BENCH_DIR"
)

// grace is how long a measurement may go on that is over its budget: until the end of a turn, in which
// nothing waits for longer than patience.
const grace = patience + 30*time.Second

// isolated has a measurement made by a process of its own in new namespaces, and hands each row to add
// when it is there. Whatever the measurement leaves running dies with the process namespace.
func isolated(ctx context.Context, o options, dir string, m measurement, add func(row)) {
	budget := m.budgetOf(o)
	late, cancel := context.WithTimeout(ctx, budget+grace)
	defer cancel()
	err := func() error {
		// Pdeathsig fires when the thread that forked ends, not the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		cmd := osexec.CommandContext(late, "/proc/self/exe", os.Args[1:]...)
		cmd.Env = append(os.Environ(), insideName+"="+m.name, insideDir+"="+dir)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWUTS,
			Pdeathsig:  unix.SIGKILL,
		}
		rows, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		for in := json.NewDecoder(rows); ; {
			var r row
			if in.Decode(&r) != nil {
				return cmd.Wait()
			}
			add(r)
		}
	}()
	if g, err := findMemoryGroup(groupName(dir)); err == nil {
		_ = g.remove() // what one that was killed has left
	}
	switch {
	case ctx.Err() != nil:
		add(row{What: m.name, Error: "interrupted"})
	case errors.Is(late.Err(), context.DeadlineExceeded):
		add(row{What: m.name, Late: fmt.Sprintf("over its budget of %v, and ended", budget)})
	case err != nil:
		add(row{What: m.name, Error: err.Error()})
	}
}

// inside makes one measurement, in the namespaces, and prints its rows as JSON. It returns the exit code.
func inside(o options, name string) int {
	out := json.NewEncoder(os.Stdout)
	err := func() error {
		chosen, err := choose(name)
		if err != nil {
			return err
		}
		dir := os.Getenv(insideDir)
		if err := furnish(dir); err != nil {
			return err
		}
		l, err := newLab(o, dir, chosen[0].budgetOf(o), out)
		if err != nil {
			return err
		}
		return errors.Join(chosen[0].run(l), l.stop())
	}()
	switch {
	case errors.Is(err, errLate):
		_ = out.Encode(row{What: name, Late: err.Error()})
	case err != nil:
		_ = out.Encode(row{What: name, Error: err.Error()})
	}
	return 0
}
