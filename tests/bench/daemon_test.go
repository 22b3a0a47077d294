package main

import (
	osexec "os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// What a daemon costs is what its child works, to the last microsecond or so, and it is not counted
// twice.
func TestSpent(t *testing.T) {
	d := &daemon{name: "sh", cmd: osexec.Command("sh", "-c", `head -c 100000000 /dev/zero >/dev/null; (sleep 60; :); :`)}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []child
	for len(all) < 3 { // until both sh and the sleep are there
		time.Sleep(10 * time.Millisecond)
		all = d.processes()
	}
	defer func() {
		for _, pid := range slices.Backward(all) {
			unix.Kill(int(pid), unix.SIGKILL)
		}
		d.cmd.Wait()
	}()
	first, err := d.spent()
	if err != nil || first <= 0 || first > 10*time.Second {
		t.Errorf("spent %v, %v; want what three processes need to start", first, err)
	}
	second, err := d.spent()
	if err != nil || second >= first/2 {
		t.Errorf("spent %v, %v since; want nearly nothing", second, err)
	}
	unix.Kill(int(all[len(all)-1]), unix.SIGKILL)
	for lab.State(int(all[len(all)-1])) != "" {
		time.Sleep(time.Millisecond)
	}
	if _, err := d.spent(); err == nil {
		t.Error("a process has ended, and spent does not say so")
	}
}
