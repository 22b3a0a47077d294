package surroundings

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"sendwrap/tests/lab"
)

// What another user's process calls itself says nothing, not even if its program is setuid, unless
// it has the port.
func TestProcessesOfUsers(t *testing.T) {
	lab.NeedRoot(t)
	lab.Need(t, lab.NoNamespaces())
	l, err := net.Listen("tcp", "127.0.0.1:25")
	if err != nil {
		t.Fatal(err)
	}
	port, err := l.(*net.TCPListener).File()
	_ = l.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	const nobody = 65534
	for _, tt := range []struct {
		name  string
		user  uint32
		mode  os.FileMode // of the program
		files []*os.File  // that it inherits
		want  bool
	}{
		{"root", 0, 0o755, nil, true},
		{"nobody", nobody, 0o755, nil, false},
		{"nobody, setuid", nobody, os.ModeSetuid | 0o755, nil, false},
		{"nobody with the port", nobody, 0o755, []*os.File{port}, true},
	} {
		program := filepath.Join(t.TempDir(), "cat")
		text, err := os.ReadFile(lab.NeedProgram(t, "cat"))
		if err = errors.Join(err, os.WriteFile(program, text, 0o755), os.Chmod(program, tt.mode),
			os.Chmod(filepath.Dir(program), 0o755),
			os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program)
		cmd.Args = []string{"tcpserver", "-", "25", "sendwrap"} // to cat, - is its stdin
		cmd.ExtraFiles = tt.files
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.user}}
		in, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		// Start returns within execve, a moment before the command line can be read.
		lab.Eventually(t, "the program runs", func() bool {
			return lab.Cmdline(cmd.Process.Pid)[0] == "tcpserver"
		})
		where := fmt.Sprintf("process %d", cmd.Process.Pid)
		got := slices.ContainsFunc(startingProcesses(), func(s Starter) bool {
			return s.By == "tcpserver" && s.Where == where
		})
		if got != tt.want {
			t.Errorf("%s: it starts sendwrap: %v; want %v", tt.name, got, tt.want)
		}
		_ = in.Close() // it ends
		_ = cmd.Wait()
	}
}
