package tests

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A screen whose terminal is gone, as at the end of ssh, ends by itself, also where nohup(1) has it
// ignore SIGHUP. Nobody would end it.
func TestTopLosesItsTerminal(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.5")
	for _, first := range []string{"", "trap '' HUP; "} {
		master, slave, err := openTerminal()
		if err != nil {
			t.Fatal(err)
		}
		defer master.Close()
		size := unix.Winsize{Row: 24, Col: 80}
		if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &size); err != nil {
			t.Fatal(err)
		}
		top := exec.Command("/bin/sh", "-c", first+`exec "$SENDWRAP" top -f "$0"`, s.conf)
		top.Stdin, top.Stdout, top.Stderr = slave, slave, slave
		top.Env = append(os.Environ(), "TERM=xterm")
		top.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := top.Start(); err != nil {
			t.Fatal(err)
		}
		defer top.Process.Kill()
		slave.Close()
		shown, buf := "", make([]byte, 4096)
		for !strings.Contains(shown, "q quit") {
			n, err := master.Read(buf)
			if shown += string(buf[:n]); err != nil {
				t.Fatalf("%v: %q", err, shown)
			}
		}
		ended := make(chan error, 1)
		go func() { ended <- top.Wait() }()
		master.Close()
		lab.Eventually(t, first+"top ends", func() bool { return len(ended) > 0 })
		if err := <-ended; err != nil {
			t.Errorf("%s%v", first, err)
		}
	}
}

// After it was stopped and goes on, as by fg, the screen sets the terminal's mode again, which the
// shell has changed meanwhile.
func TestTopGoesOn(t *testing.T) {
	t.Parallel()
	s := newTopSite(t, "127.0.7.7")
	m := s.top(t, 80, 24)
	m.shows("q quit")
	mode := func() *unix.Termios {
		mode, err := unix.IoctlGetTermios(int(m.master.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return mode
	}
	_ = m.cmd.Process.Signal(unix.SIGSTOP)
	lab.Eventually(t, "it stops", func() bool { return stopped(m.cmd.Process.Pid) })
	cooked := mode()
	cooked.Lflag |= unix.ICANON | unix.ECHO
	if err := unix.IoctlSetTermios(int(m.master.Fd()), unix.TCSETS, cooked); err != nil {
		t.Fatal(err)
	}
	_ = m.cmd.Process.Signal(unix.SIGCONT)
	lab.Eventually(t, "the terminal does not echo", func() bool {
		return mode().Lflag&(unix.ICANON|unix.ECHO) == 0
	})
	m.press("q")
	m.ends(0)
}
