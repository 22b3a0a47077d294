package main

import (
	osexec "os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The cost of a daemon is the work of its child, to the microsecond, and it is not counted twice.
func TestSpent(t *testing.T) {
	const script = `head -c 100000000 /dev/zero >/dev/null; (sleep infinity; :); :`
	d := &daemon{name: "sh", cmd: osexec.Command("sh", "-c", script)}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		unix.Kill(-d.cmd.Process.Pid, unix.SIGKILL)
		d.cmd.Wait()
	}()
	var all []child
	lab.Eventually(t, "both shells and sleep are there", func() bool {
		all = d.processes()
		return len(all) == 3
	})
	first, err := d.spent()
	if err != nil || first <= 0 {
		t.Errorf("spent %v, %v; want what three processes need to start", first, err)
	}
	second, err := d.spent()
	if err != nil || second >= first/2 {
		t.Errorf("spent %v, %v since; want nearly nothing", second, err)
	}
	sleep := int(all[len(all)-1])
	unix.Kill(sleep, unix.SIGKILL)
	lab.Eventually(t, "sleep ends", func() bool { return lab.State(sleep) == "" })
	if _, err := d.spent(); err == nil {
		t.Error("a process has ended, and spent does not say so")
	}
}
