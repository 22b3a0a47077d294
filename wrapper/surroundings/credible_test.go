package surroundings

import (
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"sendwrap/tests/lab"
)

// What another user's process says of itself starts nothing, whatever name it has chosen.
func TestCredible(t *testing.T) {
	lab.NeedRoot(t)
	lab.Need(t, lab.NoNamespaces())
	for uid, want := range map[uint32]bool{0: true, 65534: false} {
		cmd := exec.Command("/bin/sh")
		cmd.Args = []string{"tcpserver", "-c", "read line; exit", "0", "25",
			"sendwrap"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lab.Eventually(t, "it runs", func() bool {
			p, found := process(cmd.Process.Pid)
			return found && len(p.Command) > 0 && p.Command[0] == "tcpserver"
		})
		p, _ := process(cmd.Process.Pid)
		if got := p.IsCredible(); got != want {
			t.Errorf("user %d: %v; want %v", uid, got, want)
		}
		named := func(s Starter) bool { return s.By == "tcpserver" && s.On }
		if got := slices.ContainsFunc(startingProcesses(), named); got != want {
			t.Errorf("user %d: it starts sendwrap: %v; want %v", uid, got, want)
		}
		_ = in.Close()
		_ = cmd.Wait()
	}
}
