package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A machine is what the programs of one script live on: a mount namespace with a /dev, a /run and a /var/lib of its own, and in
// /dev the socket `log` on which the script listens. What a script mounts is gone with it.
//
// A mount namespace belongs to a thread, so one locked thread starts every program of the machine. That thread ends with the
// machine, and Pdeathsig then ends the programs that are still there.
type machine struct {
	jobs    chan func()
	mount   string // the name of the mount namespace, by which its processes are known
	log     *maillog
	rooms   *rooms
	daemons []*daemon
}

// The main thread is kept for the main goroutine: as a machine's it would put this process itself into the machine's namespace.
func init() { runtime.LockOSThread() }

// commandTime bounds every program that a script waits for.
const commandTime = 30 * time.Second

// newMachine starts a machine that keeps its mail log in the file maillog.
func newMachine(maillogFile string) (*machine, error) {
	m := &machine{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread must not serve other goroutines
		for job := range m.jobs {
			job()
		}
	}()
	var err error
	m.do(func() {
		if err = ownMounts(); err == nil {
			m.mount, err = os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/mnt", unix.Gettid()))
		}
		if err == nil {
			m.log, err = listenMaillog("/dev/log", maillogFile)
		}
		if err == nil {
			m.rooms, err = listenRooms(m)
		}
	})
	if err != nil {
		close(m.jobs)
		return nil, err
	}
	return m, nil
}

// do runs job on the machine's thread.
func (m *machine) do(job func()) {
	done := make(chan struct{})
	m.jobs <- func() {
		defer close(done)
		job()
	}
	<-done
}

// start starts cmd on the machine.
func (m *machine) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	var err error
	m.do(func() { err = cmd.Start() })
	return err
}

// run runs a program on the machine and returns its exit code, its output and an error if it could not be run to its end.
func (m *machine) run(dir string, env, argv []string) (code int, stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	if err := m.start(cmd); err != nil {
		return 0, "", "", err
	}
	err = cmd.Wait()
	if ctx.Err() != nil {
		return 0, out.String(), errs.String(), fmt.Errorf("%q still ran after %v", argv, commandTime)
	}
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() < 0) {
		return 0, out.String(), errs.String(), fmt.Errorf("%q: %w", argv, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), nil
}

// A daemon is a program that runs until it is stopped, or the machine is closed.
type daemon struct {
	cmd  *exec.Cmd
	gone chan struct{}
}

// daemon starts a daemon; logFile takes its output.
func (m *machine) daemon(dir string, env, argv []string, logFile string) (*daemon, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	d := &daemon{cmd: exec.Command(argv[0], argv[1:]...), gone: make(chan struct{})}
	d.cmd.Dir, d.cmd.Env = dir, env
	d.cmd.Stdout, d.cmd.Stderr = out, out
	if err := m.start(d.cmd); err != nil {
		return nil, err
	}
	go func() {
		_ = d.cmd.Wait() // its status says how we ended it
		close(d.gone)
	}()
	m.daemons = append(m.daemons, d)
	return d, nil
}

// stop ends a daemon, waits until it is gone, and does the same with the rooms that it has started.
func (m *machine) stop(d *daemon) {
	rooms := m.rooms.of(d.cmd.Process.Pid)
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	select {
	case <-d.gone:
	case <-time.After(2 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.gone
	}
	for _, room := range rooms {
		room.stop()
		for deadline := time.Now().Add(5 * time.Second); runs(room.pid) && time.Now().Before(deadline); {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (r *aRoom) stop() {
	_ = syscall.Kill(r.pid, syscall.SIGTERM)
	_ = syscall.Kill(r.pid, syscall.SIGCONT)
}

// close stops the daemons, waits for the sessions to end by themselves, and returns an error that names those that did not.
func (m *machine) close() error {
	for _, d := range m.daemons {
		m.stop(d)
	}
	err := m.quieten(func() []int {
		for _, room := range m.rooms.living() { // also one that was only just started
			room.stop()
		}
		return nil
	})
	for _, pid := range m.processes() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	close(m.jobs)
	m.rooms.conn.Close()
	m.log.close()
	return err
}

// idle waits until nothing but daemons and rooms runs on the machine. Its error names what still does.
func (m *machine) idle() error {
	return m.quieten(func() (stay []int) {
		for _, room := range m.rooms.living() {
			stay = append(stay, ancestors(room.pid)...)
		}
		return stay
	})
}

// quieten waits until nothing runs on the machine but what may stay.
func (m *machine) quieten(mayStay func() []int) error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		stay := mayStay()
		pids := slices.DeleteFunc(m.processes(), func(pid int) bool { return slices.Contains(stay, pid) })
		if len(pids) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			var left []string
			for _, pid := range pids {
				cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				left = append(left, fmt.Sprintf("%d %q", pid, strings.ReplaceAll(string(cmdline), "\x00", " ")))
			}
			return fmt.Errorf("after 5 s there still runs %s", strings.Join(left, ", "))
		}
	}
}

// processes are those that live in the machine's mount namespace, but for its daemons.
func (m *machine) processes() (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/ns/mnt")
	for _, name := range names {
		if mount, err := os.Readlink(name); err != nil || mount != m.mount {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil && !slices.ContainsFunc(m.daemons, func(d *daemon) bool { return d.cmd.Process.Pid == pid }) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// ownMounts gives the calling thread a mount namespace with a /dev of the usual devices, and nothing in /run and /var/lib: a ledger
// where it is by default would be there.
func ownMounts() error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	for _, dir := range []string{"/dev", "/run", "/var/lib"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	defer unix.Umask(unix.Umask(0)) // the thread's own since CLONE_FS
	for _, dev := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		if err := unix.Mknod("/dev/"+dev.name, unix.S_IFCHR|0o666, int(unix.Mkdev(dev.major, dev.minor))); err != nil {
			return fmt.Errorf("mknod /dev/%s: %w", dev.name, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/dev/pts", 0o755); err != nil {
		return err
	}
	if err := unix.Mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666"); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	return nil
}
