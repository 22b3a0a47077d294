package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A machine is where the programs of one script live: a mount namespace with a /dev, a /run and a
// /var/lib of its own, and in /dev the socket `log` on which the script listens. Its programs end
// with it.
type machine struct {
	*lab.Thread
	mount   string // the name of the mount namespace, by which its processes are known
	log     *lab.Log
	hears   bool // the log hears what is sent to /dev/log
	rooms   *rooms
	daemons []*lab.Daemon
}

// devLog is where sendwrap and others log.
const devLog = "/dev/log"

// newMachine starts a machine that keeps its mail log in the file maillog.
func newMachine(maillog string) (*machine, error) {
	thread, err := lab.NewThread(unix.CLONE_NEWNS)
	if err != nil {
		return nil, err
	}
	m := &machine{Thread: thread, hears: true}
	m.log, err = lab.NewLog(maillog)
	m.Do(func() {
		if err == nil {
			err = lab.OwnMounts()
		}
		if err == nil {
			m.mount, err = os.Readlink("/proc/thread-self/ns/mnt")
		}
		if err == nil {
			err = m.log.Listen(devLog)
		}
		if err == nil {
			m.rooms, err = listenRooms(m)
		}
	})
	if err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// run runs a program on the machine and returns its exit code, its output and an error if it could
// not be run to its end.
func (m *machine) run(dir string, env, argv []string) (code int, stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lab.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = lab.Patience
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	m.Do(func() { err = cmd.Start() })
	if err != nil {
		return 0, "", "", err
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%q still ran after %v", argv, lab.Patience)
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		err = nil
	case err != nil:
		err = fmt.Errorf("%q: %w", argv, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String(), err
}

// daemon starts a daemon, with its output appended to a file.
func (m *machine) daemon(dir string, env, argv []string, output string) (d *lab.Daemon, err error) {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	m.Do(func() { d, err = lab.Start(cmd, output) })
	if err == nil {
		m.daemons = append(m.daemons, d)
	}
	return d, err
}

// stop ends a daemon and the rooms that it has started.
func (m *machine) stop(d *lab.Daemon) {
	rooms := m.rooms.of(d.PID())
	d.Stop()
	for _, room := range rooms {
		room.stop()
		lab.Await(func() bool { return !room.lives() })
	}
}

func (r *aRoom) stop() {
	_ = r.process.Signal(unix.SIGTERM)
	_ = r.process.Signal(unix.SIGCONT)
}

// close stops the daemons, waits for the sessions to end by themselves, and returns an error that
// names those that did not.
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
	m.Close()
	m.rooms.conn.Close()
	m.log.Close()
	return err
}

// idle waits until nothing runs on the machine but daemons, rooms, and the relays of their MTAs'
// stderr.
func (m *machine) idle() error {
	return m.quieten(func() (stay []int) {
		for _, room := range m.rooms.living() {
			stay = append(stay, lab.Ancestors(room.pid)...)
		}
		if len(stay) > 0 {
			stay = append(stay, lab.Processes(isRelay)...)
		}
		return stay
	})
}

// isRelay reports whether a process is sendwrap's relay of an MTA's stderr.
func isRelay(pid int) bool { return lab.Cmdline(pid)[0] == "mta_stderr" }

// quieten waits until nothing runs on the machine but what may stay. Its error names what still
// runs.
func (m *machine) quieten(mayStay func() []int) error {
	var left []int
	if lab.Await(func() bool {
		stay := mayStay()
		left = slices.DeleteFunc(m.processes(),
			func(pid int) bool { return slices.Contains(stay, pid) })
		return len(left) == 0
	}) {
		return nil
	}
	var names []string
	for _, pid := range left {
		names = append(names, fmt.Sprintf("%d %q", pid, lab.Cmdline(pid)))
	}
	return fmt.Errorf("after %v there still runs %s", lab.Patience, strings.Join(names, ", "))
}

// processes are those that live in the machine's mount namespace, but for its daemons.
func (m *machine) processes() []int {
	return lab.Processes(func(pid int) bool {
		mount, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		return err == nil && mount == m.mount &&
			!slices.ContainsFunc(m.daemons, func(d *lab.Daemon) bool { return d.PID() == pid })
	})
}
