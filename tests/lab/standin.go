package lab

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// StandIn is an MTA for tests: the main function of a process that speaks SMTP on fds 0 and 1 and
// does not return. Its greeting says what it has inherited.
//
// A Go program cannot tell what SIGPIPE or RLIMIT_NOFILE were before its runtime changed them: a
// shell can.
func StandIn() {
	fmt.Printf("220 %s stand-in %s\r\n", HostName, strings.Join(inherited(), " "))
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		line := in.Text()
		verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch verb {
		case "EHLO":
			fmt.Printf("250-%s pleased to meet you\r\n250 PIPELINING\r\n", HostName)
		case "HELO", "MAIL", "RCPT", "RSET", "NOOP":
			fmt.Printf("250 2.0.0 ok, you said %q\r\n", line)
		case "DATA":
			fmt.Print("354 go on\r\n")
			for in.Scan() && in.Text() != "." {
			}
			fmt.Print("250 2.0.0 accepted\r\n")
		case "QUIT":
			fmt.Print("221 2.0.0 bye\r\n")
			leave()
		default:
			fmt.Printf("500 5.5.2 you said %q\r\n", line)
		}
	}
	leave()
}

// leave ends the process at once: os.Exit sleeps a second first in a test binary built with -race.
func leave() { syscall.Exit(0) }

// inherited is what the program before has left to this one.
func inherited() []string {
	cwd, _ := os.Getwd()
	var fds []string
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		for _, e := range entries {
			target, err := os.Readlink("/proc/self/fd/" + e.Name())
			ofRuntime := strings.HasPrefix(target, "anon_inode:") ||
				strings.HasPrefix(target, "/sys/fs/cgroup/")
			if err == nil && !ofRuntime {
				fds = append(fds, e.Name())
			}
		}
	}
	flags, _ := unix.FcntlInt(0, unix.F_GETFL, 0)
	nodelay, _ := unix.GetsockoptInt(0, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	env := os.Environ()
	slices.Sort(env)
	return []string{
		fmt.Sprintf("argv=%q", Cmdline(os.Getpid())), // os.Args[0] may have been changed
		"pid=" + strconv.Itoa(os.Getpid()),
		"cwd=" + cwd,
		"fds=" + strings.Join(fds, ","),
		fmt.Sprintf("nonblock=%v", flags&unix.O_NONBLOCK != 0),
		fmt.Sprintf("nodelay=%v", nodelay != 0),
		"keepalive=" + keepalive(),
		fmt.Sprintf("sigblk=%s", procStatus("SigBlk")),
		fmt.Sprintf("env=%q", env),
	}
}

// keepalive says when the kernel ends the connection of a client that is out of reach: after how
// many seconds of silence it asks, after how many it asks again, how often; and for how many
// milliseconds data may be unacknowledged.
func keepalive() string {
	if on, _ := unix.GetsockoptInt(0, unix.SOL_SOCKET, unix.SO_KEEPALIVE); on == 0 {
		return "off"
	}
	var values []string
	for _, option := range []int{
		unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT, unix.TCP_USER_TIMEOUT,
	} {
		value, _ := unix.GetsockoptInt(0, unix.IPPROTO_TCP, option)
		values = append(values, strconv.Itoa(value))
	}
	return strings.Join(values, "/")
}

// procStatus returns a field of /proc/self/status.
func procStatus(field string) string {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// HoldLock is the main function of a process that takes the lock of a ledger, and stops with it. It
// does not return.
func HoldLock(ledger string) {
	fd, err := unix.Open(ledger, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Flock(fd, unix.LOCK_EX)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	_ = unix.Kill(os.Getpid(), unix.SIGSTOP)
	select {}
}
