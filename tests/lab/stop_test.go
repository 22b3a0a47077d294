package lab

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A daemon may end at SIGTERM in any way, even if it is stopped.
func TestStop(t *testing.T) {
	d, said := startShell(t, "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 1; done")
	Eventually(t, "it is up", func() bool { return said() == "up\n" })
	_ = d.Process.Signal(unix.SIGSTOP)
	d.Stop()
	if !d.Ended() || d.ProcessState.ExitCode() != 3 || said() != "up\nbye\n" {
		t.Errorf("it said %q, and ended with %v", said(), d.ProcessState)
	}
}

// A daemon that ignores SIGTERM can be killed with its group. One that has ended has no group any
// more: its number may be another's.
func TestKillAll(t *testing.T) {
	d, said := startShell(t, "trap '' TERM; sleep infinity & echo $!; wait")
	var child int
	Eventually(t, "its child is there", func() bool {
		_, err := fmt.Sscanln(said(), &child)
		return err == nil
	})
	_ = d.Process.Signal(unix.SIGTERM)
	d.KillAll()
	if ws := d.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != unix.SIGKILL {
		t.Errorf("it ended with %v", d.ProcessState)
	}
	Eventually(t, "its child ends", func() bool { return !Running(child) })

	const answers = "trap 'echo alive' TERM; echo $$; while :; do sleep 1; done"
	d, said = startShell(t, `sh -c "`+strings.ReplaceAll(answers, "$", `\$`)+`" &`)
	if !d.Ends() {
		t.Fatal("it does not end")
	}
	Eventually(t, "its child is there", func() bool {
		_, err := fmt.Sscanln(said(), &child)
		return err == nil
	})
	defer unix.Kill(child, unix.SIGKILL)
	d.KillAll()
	_ = unix.Kill(child, unix.SIGTERM)
	Eventually(t, "its child answers: nobody has killed it", func() bool {
		return strings.HasSuffix(said(), "alive\n")
	})
}
