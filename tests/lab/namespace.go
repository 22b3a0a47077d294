package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// HostName is the machine's name in the namespaces. It is a full one: sendmail sleeps for a minute
// when it starts with a short one.
const HostName = "mx.test"

// A program starts itself twice more. The first child is process 1 of new network, mount, pid and
// host name namespaces and prepares them; its only child does the work. When process 1 ends, the
// kernel ends all remaining processes, and all mounts and addresses go with them.
const (
	stageName   = "SENDWRAP_LAB_STAGE"
	stageFirst  = "process 1"
	stageInside = "inside"

	dirName     = "SENDWRAP_LAB_DIR"
	missingName = "SENDWRAP_LAB_MISSING"
)

// Setup says what to run in namespaces.
type Setup struct {
	// Build runs outside, where the network is: it makes what Run needs in dir. May be nil.
	Build func(dir string) error
	// Prepare runs in the namespaces once they are a mail server's machine, and adds to it. May be
	// nil.
	Prepare func() error
	// Args are put before the arguments of the command line.
	Args []string
	// Run does the work, and returns the exit status.
	Run func() int
}

// Dir is the directory that Build was given: all users may search it, and it is gone at the end.
func Dir() string { return os.Getenv(dirName) }

// NoNamespaces says why Run has no namespaces of its own, mostly because it is not root; "" if it
// has.
func NoNamespaces() string { return os.Getenv(missingName) }

// Isolate builds, and runs s.Run in new namespaces, or without them if there is no right to make
// any. It returns the exit status, with which the caller ends the program.
func Isolate(s Setup) int {
	switch os.Getenv(stageName) {
	case stageFirst:
		return processOne(s)
	case stageInside:
		return s.Run()
	}
	status, err := outside(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return status
}

// outside builds in a new directory and starts process 1. The directory goes however the run ends:
// a signal here, or, if this very process is killed, with the next run.
func outside(s Setup) (status int, err error) {
	// Before anything that a signal, or the end of `go test`, must not leave behind. A child gets
	// the terminal's signals, too.
	stop := make(chan os.Signal, 4)
	signal.Notify(stop, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT)
	orphaned := Orphaned()

	dir, err := MakeDir(dirPrefix, nil)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	os.Setenv(dirName, dir)
	if s.Build != nil {
		if err := s.Build(dir); err != nil {
			return 0, err
		}
	}
	os.Setenv("TMPDIR", dir) // what a test that is killed leaves there goes with the directory
	os.Setenv(stageName, stageFirst)

	// Pdeathsig ends process 1 with the thread that has started it, not with this process.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := again(s, unix.CLONE_NEWNET|unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWUTS)
	if err := cmd.Start(); err != nil {
		os.Setenv(stageName, stageInside)
		os.Setenv(missingName, "no namespaces (run it as root): "+err.Error())
		cmd = again(s, 0)
		if err := cmd.Start(); err != nil {
			return 0, err
		}
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case <-orphaned: // `go test` was killed, and cannot end us
			stop <- unix.SIGKILL
			orphaned = nil
		case sig := <-stop:
			if sig == unix.SIGQUIT {
				_ = cmd.Process.Signal(sig) // go test wants to see where it hangs
				continue
			}
			_ = cmd.Process.Kill()
			<-done
			return 1, nil
		case err := <-done:
			if cmd.ProcessState.ExitCode() < 0 {
				return 0, err
			}
			return cmd.ProcessState.ExitCode(), nil
		}
	}
}

// Orphaned returns a channel that is closed when the process that has started this one has ended.
// Call it first thing: an end before that is not seen.
func Orphaned() <-chan struct{} {
	orphaned, parent := make(chan struct{}), os.Getppid()
	go func() {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		close(orphaned)
	}()
	return orphaned
}

// dirPrefix begins the name of each Dir.
const dirPrefix = "sendwrap-lab-"

// MakeDir makes a directory whose name is the prefix and a number, for this process and as long as
// it lives. It removes those of processes that were killed, after tidy (which may be nil) has
// removed their other traces.
//
// The owner has its directory locked. A pid in the name is not enough: runs that share /tmp may be
// in different pid namespaces.
func MakeDir(prefix string, tidy func(dir string)) (string, error) {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	for _, dir := range old {
		number := strings.TrimPrefix(filepath.Base(dir), prefix)
		if _, err := strconv.ParseUint(number, 10, 64); err != nil {
			continue
		}
		if fd, err := lockDir(dir, unix.LOCK_NB); err == nil {
			if tidy != nil {
				tidy(dir)
			}
			_ = os.RemoveAll(dir)
			_ = unix.Close(fd)
		}
	}
	for {
		dir, err := os.MkdirTemp("", prefix)
		if err == nil {
			err = os.Chmod(dir, 0o755) // daemons run as other users, too
		}
		if err == nil {
			_, err = lockDir(dir, 0) // which the kernel closes at the end of the process
		}
		if !errors.Is(err, unix.ENOENT) { // another run has removed it before it was locked
			return dir, err
		}
	}
}

// lockDir locks a directory. The descriptor is no *os.File, which a garbage collection would close.
// The error is ENOENT if the directory is gone.
func lockDir(dir string, how int) (fd int, err error) {
	fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fd, err
	}
	for {
		err = unix.Flock(fd, unix.LOCK_EX|how)
		if err != unix.EINTR {
			break
		}
	}
	var locked, current unix.Stat_t
	if err == nil {
		err = errors.Join(unix.Fstat(fd, &locked), unix.Stat(dir, &current))
	}
	if err == nil && locked.Ino != current.Ino {
		err = unix.ENOENT
	}
	if err != nil {
		_ = unix.Close(fd)
	}
	return fd, err
}

// again is the same command, to be started in new namespaces.
func again(s Setup, namespaces uintptr) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", append(append([]string{}, s.Args...), os.Args[1:]...)...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: unix.SIGKILL}
	return cmd
}

// processOne prepares the namespaces, starts the work and reaps orphans until it is done.
func processOne(s Setup) int {
	os.Setenv(stageName, stageInside)
	err := prepare()
	if err == nil && s.Prepare != nil {
		err = s.Prepare()
	}
	if err != nil {
		os.Setenv(missingName, "the namespaces cannot be set up: "+err.Error())
	}
	worker, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, unix.SIGQUIT)
	go func() {
		for sig := range quit {
			_ = worker.Signal(sig)
		}
	}()
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, os.NewSyscallError("wait4", err))
			return 1
		case pid == worker.Pid && status.Signaled():
			fmt.Fprintln(os.Stderr, "ended by signal", status.Signal())
			return 1
		case pid == worker.Pid && status.Exited():
			return status.ExitStatus()
		}
	}
}
