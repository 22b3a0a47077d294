package try

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// daemon is a sendwrap that runs until it is stopped: a room, or a guard.
type daemon struct {
	process *os.Process
	start   time.Time

	ended chan struct{} // closed when the process has ended
	exit  processExit   // valid then
}

// stopTime is how long a daemon may take to end after a signal.
const stopTime = 5 * time.Second

// startDaemon starts one: program is its path, then its argv. It gets a process group of its own,
// so that ^C does not reach it: stop ends it. If this process is killed, the kernel ends it. But
// the kernel's parent-death signal watches the thread that forked, not the process, so that thread
// stays until the daemon has ended.
func startDaemon(program []string, files [3]*os.File) (*daemon, error) {
	d := &daemon{start: time.Now(), ended: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		var err error
		d.process, err = os.StartProcess(program[0], program[1:], &os.ProcAttr{
			Dir: "/", Env: environ(), Files: files[:],
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM},
		})
		started <- err
		if err != nil {
			return
		}
		state, err := d.process.Wait()
		d.exit = processExit{pid: d.process.Pid, state: state, after: time.Since(d.start), err: err}
		close(d.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return d, nil
}

// unexpected is the error of a daemon that should not have ended; name is what it is.
func (e processExit) unexpected(name string) error {
	if e.err != nil {
		return e.err
	}
	return fmt.Errorf("the %s ended unexpectedly after %s: %v", name, inSeconds(e.after), e.state)
}

// stop ends the process, and returns when it has ended.
func (d *daemon) stop() {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := d.process.Signal(sig); errors.Is(err, os.ErrProcessDone) {
			break
		}
		select {
		case <-d.ended:
		case <-time.After(stopTime):
		}
	}
	<-d.ended
}
