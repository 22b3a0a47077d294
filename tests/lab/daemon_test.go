package lab

import (
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// A daemon outlives a Thread, even one whose goroutine gets the very thread that started the
// daemon.
func TestDaemonOutlivesThread(t *testing.T) {
	NeedRoot(t)
	for range 10 {
		d, err := Start(exec.Command("sleep", "infinity"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer d.KillAll()
		for range 5 {
			thread, err := NewThread(unix.CLONE_NEWNET)
			if err != nil {
				Need(t, err.Error())
			}
			thread.Close()
			Eventually(t, "the thread ends", func() bool { return State(thread.ID) == "" })
		}
		if d.Ended() {
			t.Fatal("the daemon has ended with a thread")
		}
	}
}
