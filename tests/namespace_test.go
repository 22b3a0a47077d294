package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The test binary starts itself twice more. The first child is process 1 of new network, mount, pid and host name namespaces and
// prepares them; its only child runs the tests. When that one ends, the kernel ends whatever process a test has left behind.
const (
	stageVar   = "SENDWRAP_TESTS_STAGE"
	stageInit  = "init"
	stageTests = "tests"

	// missingVar says why there are no namespaces.
	missingVar = "SENDWRAP_TESTS_MISSING"

	hostName = "mx.test" // a full name: sendmail would sleep 60 s over a short one
)

// parallel is how many scripts run at once. They mostly wait.
const parallel = 8

// enter builds what needs the network and runs the tests in the namespaces, or without them where there is no right to make any:
// then the tests that need them skip. It returns their status.
func enter(build func(dir string) error) int {
	dir, err := os.MkdirTemp("", "sendwrap-tests")
	if err == nil {
		if !slices.Contains(os.Args, "-testwork") {
			defer os.RemoveAll(dir)
		}
		err = os.Chmod(dir, 0o755) // super-servers may start it as another user
	}
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	os.Setenv("GOTMPDIR", dir) // where testscript works
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
	if err := prepare(); err != nil {
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

// prepare makes the namespaces a mail server's machine: every address reserved for documentation is its own, so that clients may
// come from anywhere; no DNS; a full host name.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Sethostname([]byte(hostName)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	for name, text := range map[string]string{
		"/etc/hosts":         "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + hostName + " mx\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
		"/etc/resolv.conf":   "",
	} {
		if err := cover(name, text); err != nil {
			return err
		}
	}
	for name, value := range map[string]string{
		"net/ipv6/ip_nonlocal_bind": "1", // bind(2) then accepts what is local by route only
		"net/core/somaxconn":        "4096",
		"net/unix/max_dgram_qlen":   "4096", // the default of 10 loses log lines when hundreds of clients come at once
	} {
		// Not every kernel has every one of them, and what matters shows in the tests.
		_ = os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0)
	}
	for _, args := range []string{
		"link set lo up",
		"route add local 192.0.2.0/24 dev lo",
		"route add local 198.51.100.0/24 dev lo",
		"route add local 198.18.0.0/15 dev lo",
		"route add local 203.0.113.0/24 dev lo",
		"-6 route add local 2001:db8::/32 dev lo",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return nil
}

// cover puts another text in the place of a file of the machine, in this mount namespace only.
func cover(name, text string) error {
	f, err := os.CreateTemp("", "sendwrap-tests-cover")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // the mount keeps it
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := unix.Mount(f.Name(), name, "", unix.MS_BIND, ""); err != nil && err != unix.ENOENT {
		return fmt.Errorf("mount over %s: %w", name, err)
	}
	return nil
}
