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
