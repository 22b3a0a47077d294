package tests

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// serve KIND[,KIND]… ARG…
//
// Runs sendwrap with something on stdin that no super-server should put there: pipe, file,
// terminal, closed, udp, unix, connected, listening or unix-listening. stdout and stderr are pipes.
// Further KINDs are on fds 3, 4, … and passed by LISTEN_FDS.
func cmdServe(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 0 {
		ts.Fatalf("usage: serve KIND[,KIND]… ARG…")
	}
	s := scriptOf(ts)
	var files []*os.File
	for _, kind := range strings.Split(args[0], ",") {
		var file *os.File
		var done func()
		var err error
		s.machine.Do(func() { file, done, err = strangeFile(kind, ts.Getenv("WORK")) })
		ts.Check(err)
		defer done()
		files = append(files, file)
	}
	program, argv, env := ts.Getenv("SENDWRAP"), append([]string{"sendwrap"}, args[1:]...),
		s.environ(ts)
	if passed := len(files) - 1; passed > 0 {
		argv = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, program}, args[1:]...)
		program, env = "/bin/sh", append(env, fmt.Sprint("LISTEN_FDS=", passed))
	}

	out, outW, err := os.Pipe()
	ts.Check(err)
	errs, errsW, err := os.Pipe()
	ts.Check(err)
	// Not exec.Cmd: a nil file of os.ProcAttr is a closed descriptor in the child.
	var proc *os.Process
	s.machine.Do(func() {
		proc, err = os.StartProcess(program, argv, &os.ProcAttr{
			Dir:   ts.MkAbs("."),
			Env:   env,
			Files: append([]*os.File{files[0], outW, errsW}, files[1:]...),
		})
	})
	outW.Close()
	errsW.Close()
	ts.Check(err)
	late := time.AfterFunc(lab.Patience, func() { _ = proc.Kill() })
	defer late.Stop()
	state, err := proc.Wait()
	ts.Check(err)
	fmt.Fprint(ts.Stdout(), drain(out))
	fmt.Fprint(ts.Stderr(), drain(errs))
	if !state.Exited() {
		ts.Fatalf("%v, perhaps since it still ran after %v", state, lab.Patience)
	}
	s.exitCode = state.ExitCode()
	if (s.exitCode != 0) != neg {
		ts.Fatalf("exit code %d", s.exitCode)
	}
}

func drain(pipe *os.File) string {
	defer pipe.Close()
	var b bytes.Buffer
	_, _ = b.ReadFrom(pipe)
	return b.String()
}

// strangeFile opens a file of some kind; done closes what belongs to it.
func strangeFile(kind, work string) (file *os.File, done func(), err error) {
	type filer interface {
		File() (*os.File, error)
		Close() error
	}
	socket := func(conn filer, err error) (*os.File, func(), error) {
		if err != nil {
			return nil, nil, err
		}
		f, err := conn.File()
		return f, func() { f.Close(); conn.Close() }, err
	}
	switch kind {
	case "closed":
		return nil, func() {}, nil
	case "pipe":
		r, w, err := os.Pipe()
		return r, func() { r.Close(); w.Close() }, err
	case "file":
		f, err := os.Open(filepath.Join(work, "sendwrap.conf"))
		return f, func() { f.Close() }, err
	case "terminal":
		return terminal()
	case "udp":
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		return socket(conn, err)
	case "listening":
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		return socket(l, err)
	case "unix-listening":
		name := fmt.Sprintf("/run/listening-%d", time.Now().UnixNano())
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return socket(l, err)
	case "connected":
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, nil, err
		}
		defer l.Close()
		conn, err := net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
		return socket(conn, err)
	case "unix":
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return nil, nil, err
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
		return theirs, func() { ours.Close(); theirs.Close() }, nil
	}
	return nil, nil, fmt.Errorf("unknown kind of stdin %q", kind)
}

// terminal opens the slave end of a new pseudo-terminal of the machine.
func terminal() (*os.File, func(), error) {
	master, slave, err := openTerminal()
	return slave, func() { slave.Close(); master.Close() }, err
}

// openTerminal opens both ends of a new terminal (pty(7)).
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, err
}
