package lab

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Daemon is a program that runs until it is stopped.
type Daemon struct {
	*exec.Cmd
	Gone chan struct{} // closed when it has ended, and ProcessState is set
}

// starters are the ids of the threads that have started daemons. None of them may become a Thread,
// which ends before the process does.
var starters sync.Map

// Start starts cmd, with its output appended to a file (mode 0600; "" leaves the output as it is).
// The program leads a process group of its own, since some send signals to their whole group; it
// ends with the thread that calls Start.
func Start(cmd *exec.Cmd, output string) (*Daemon, error) {
	if output != "" {
		out, err := os.OpenFile(output, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, err
		}
		defer out.Close()
		cmd.Stdout, cmd.Stderr = out, out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread()
	starters.Store(unix.Gettid(), true)
	err := cmd.Start()
	runtime.UnlockOSThread()
	if err != nil {
		return nil, err
	}
	d := &Daemon{Cmd: cmd, Gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // the status is in ProcessState, and mostly says how we ended it
		close(d.Gone)
	}()
	return d, nil
}

// PID is the pid of the program itself.
func (d *Daemon) PID() int { return d.Process.Pid }

// Ended reports whether the program has ended.
func (d *Daemon) Ended() bool {
	select {
	case <-d.Gone:
		return true
	default:
		return false
	}
}

// Ends waits until the program ends by itself, and reports whether it did within Patience.
func (d *Daemon) Ends() bool {
	select {
	case <-d.Gone:
		return true
	case <-time.After(Patience):
		return false
	}
}

// Stop ends the program with SIGTERM, and with SIGKILL if it does not heed that within Patience. It
// returns when the program has ended. What the program has started may live on.
func (d *Daemon) Stop() {
	_ = d.Process.Signal(unix.SIGTERM)
	_ = d.Process.Signal(unix.SIGCONT) // it may be stopped
	if !d.Ends() {
		d.KillAll()
	}
}

// KillAll ends the program and its process group at once.
func (d *Daemon) KillAll() {
	_ = unix.Kill(-d.PID(), unix.SIGKILL)
	<-d.Gone
}
