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

	"sendwrap/tests/lab"
)

// The environment of a process that makes a measurement: which one, and where the built programs
// are.
const (
	insideName = "SENDWRAP_BENCH_NAME"
	insideDir  = "SENDWRAP_BENCH_DIR"
)

// grace is how long a measurement may go on after its budget: until the end of a turn, in which
// nothing waits for longer than lab.Patience.
const grace = lab.Patience + 30*time.Second

// isolated makes a process of its own in new namespaces take a measurement, and calls add for each
// row. All processes of the measurement die with the process namespace.
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
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
		// lab.Isolate cleans up then.
		cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
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
	if err := removeMemoryGroup(groupName(dir)); err != nil {
		add(row{What: m.name, Error: err.Error()}) // the next measurement needs one of that name
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

// hostsDeny is where tcpd reads which clients to refuse.
const hostsDeny = "/etc/hosts.deny"

// prepare prepares the machine of the namespaces for tcpd, too, and for clients.
func prepare() error {
	return errors.Join(lab.ClientsHere(),
		lab.Cover("/etc/hosts.allow", ""), lab.Cover(hostsDeny, "stub: ALL\n"))
}

// inside makes one measurement, in the namespaces, and prints its rows as JSON. It returns the exit
// code.
func inside(o options, name string) int {
	out := json.NewEncoder(os.Stdout)
	_, err := try(func() (any, error) {
		chosen, err := choose(name)
		if err != nil {
			return nil, err
		}
		if why := lab.NoNamespaces(); why != "" {
			return nil, errors.New(why)
		}
		l, err := newBench(o, os.Getenv(insideDir), chosen[0].budgetOf(o), out)
		if err != nil {
			return nil, err
		}
		chosen[0].run(l)
		return nil, l.stop()
	})
	switch {
	case errors.Is(err, errLate):
		_ = out.Encode(row{What: name, Late: err.Error()})
	case err != nil:
		_ = out.Encode(row{What: name, Error: err.Error()})
	}
	return 0
}
