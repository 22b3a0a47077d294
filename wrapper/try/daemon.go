package try

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// daemon is a sendwrap that stays until it is told to end: a room, or a guard.
type daemon struct {
	process *os.Process
	came    time.Time

	ended chan struct{} // closed when the process has
	how   departure     // then
}

// closingTime is how long a daemon that was told to end may take, whatever happens to those in it.
const closingTime = 5 * time.Second

// startDaemon starts one. The program's path stands first, its argv behind it. In a process group of
// its own ^C does not reach it: we end it. If we cannot any more, the kernel does, which watches the
// thread that has started it and not this process: so that thread stays with it to its end.
func startDaemon(program []string, files [3]*os.File) (*daemon, error) {
	d := &daemon{came: time.Now(), ended: make(chan struct{})}
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
		d.how = departure{pid: d.process.Pid, state: state, after: time.Since(d.came), err: err}
		close(d.ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return d, nil
}

// unasked says that a daemon has ended that should have stayed.
func (d departure) unasked(who string) error {
	if d.err != nil {
		return d.err
	}
	return fmt.Errorf("the %s has ended by itself after %s: %v", who, inSeconds(d.after), d.state)
}

// stop ends the process, and returns when it has.
func (d *daemon) stop() {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := d.process.Signal(sig); errors.Is(err, os.ErrProcessDone) {
			break
		}
		select {
		case <-d.ended:
		case <-time.After(closingTime):
		}
	}
	<-d.ended
}
