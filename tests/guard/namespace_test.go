package guard

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The test binary starts itself twice more, as that of package tests does: process 1 of new network, mount, pid and host name
// namespaces prepares them, its only child runs the tests, and the kernel ends whatever these leave behind.
const (
	stageVar   = "SENDWRAP_GUARD_TESTS_STAGE"
	stageInit  = "init"
	stageTests = "tests"

	// missingVar says why there are no namespaces.
	missingVar = "SENDWRAP_GUARD_TESTS_MISSING"

	hostName = "mx.test" // a full name: sendmail would sleep 60 s over a short one

	// parallel is how many tests run at once. They mostly wait.
	parallel = 8
)

// The wire between the mail servers and their clients.
var (
	server4, gateway4 = addr("203.0.113.25"), addr("203.0.113.1")
	server6, gateway6 = addr("2001:db8:25::25"), addr("2001:db8:25::1")
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// enter builds what the tests share and runs them in the namespaces. It returns their status.
func enter(build func(dir string) error) int {
	dir, err := os.MkdirTemp("", "sendwrap-guard")
	if err == nil {
		defer os.RemoveAll(dir)
		err = os.Chmod(dir, 0o755) // Postfix's processes are not root's
	}
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	os.Setenv(stageVar, stageInit)
	cmd := again(unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS)
	if err := cmd.Start(); err != nil {
		os.Setenv(stageVar, stageTests)
		os.Setenv(missingVar, "no namespaces (are you root?): "+err.Error())
		cmd = again(0)
		if err := cmd.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.ExitCode() < 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return cmd.ProcessState.ExitCode()
}

// again is this very command, to be started in new namespaces.
func again(namespaces uintptr) *exec.Cmd {
	args := append([]string{fmt.Sprintf("-test.parallel=%d", parallel)}, os.Args[1:]...)
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// initMain is process 1: it prepares the namespaces, starts the tests and reaps orphans until they end. It returns their status.
func initMain() int {
	os.Setenv(stageVar, stageTests)
	if err := prepare(os.Getenv(workVar)); err != nil {
		os.Setenv(missingVar, "the namespaces cannot be set up: "+err.Error())
	}
	proc, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			fmt.Fprintln(os.Stderr, "wait4:", err)
			return 1
		case pid == proc.Pid && status.Signaled():
			fmt.Fprintln(os.Stderr, "the tests were ended by signal", status.Signal())
			return 1
		case pid == proc.Pid && status.Exited():
			return status.ExitStatus()
		}
	}
}

// prepare makes the namespaces a mail server's machine: a full host name, no DNS, a user for Postfix, a /dev in which the mail log
// is the tests', a /run and a /var/lib with nothing in them, SASL's configuration.
func prepare(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Sethostname([]byte(hostName)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	for _, at := range []string{"/dev", "/run", "/var/lib"} {
		if err := unix.Mount("tmpfs", at, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", at, err)
		}
	}
	if err := devices(); err != nil {
		return err
	}
	users, err := withPostfix()
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"/etc/passwd":        users["/etc/passwd"],
		"/etc/group":         users["/etc/group"],
		"/etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n" + server4.String() + " " + hostName + " mx\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
		"/etc/resolv.conf":   "",
	} {
		if err := cover(dir, name, text); err != nil {
			return err
		}
	}
	if err := configureSASL(); err != nil {
		return fmt.Errorf("SASL: %w", err)
	}
	// Not every kernel has it, and what matters shows in the tests: the default of 10 loses log lines when many clients come at once.
	_ = os.WriteFile("/proc/sys/net/unix/max_dgram_qlen", []byte("4096"), 0)
	return ip("link set lo up")
}

// devices makes the few that programs need, in a /dev that is empty.
func devices() error {
	defer unix.Umask(unix.Umask(0))
	for minor, name := range map[uint32]string{3: "null", 5: "zero", 7: "full", 8: "random", 9: "urandom"} {
		if err := unix.Mknod("/dev/"+name, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return fmt.Errorf("mknod /dev/%s: %w", name, err)
		}
	}
	return os.Symlink("/proc/self/fd", "/dev/fd")
}

// cover puts another text in the place of a file of the machine, in this mount namespace only.
func cover(dir, name, text string) error {
	ours := filepath.Join(dir, filepath.Base(name))
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(ours, name, "", unix.MS_BIND, ""); err != nil && err != unix.ENOENT {
		return fmt.Errorf("mount over %s: %w", name, err)
	}
	return nil
}

// ip runs ip(8) in the namespace of the thread that calls it.
func ip(lines ...string) error {
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}
