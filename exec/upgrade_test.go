package exec

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestQuery(t *testing.T) {
	script := func(text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		answer     string
		err        string
	}{
		{"answers", "#!/bin/sh\necho \"$1 $NOTIFY_SOCKET\"\n", 0o755, "version \n", ""},
		{"prints nothing", "#!/bin/sh\nexit 1\n", 0o755, "", ""},
		{"hangs", "#!/bin/sh\necho half; exec sleep 600\n", 0o755, "", "i/o timeout"},
		{"never stops", "#!/bin/sh\nwhile echo more; do :; done\n", 0o755, "",
			"more than 4096 bytes of output"},
		{"is no program", "hello\n", 0o755, "", "exec format error"},
		{"is not executable", "#!/bin/sh\n", 0o644, "", "not executable"},
		{"writes to stderr only", "#!/bin/sh\necho x >&2\n", 0o755, "", ""},
	} {
		patience := lab.Patience
		if tt.name == "hangs" {
			patience = 300 * time.Millisecond
		}
		began := time.Now()
		answer, err := Query(script(tt.text, tt.mode), "version", patience)
		if answer != tt.answer || (err == nil) != (tt.err == "") || err != nil &&
			!strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %s", tt.name, answer, err, tt.answer, tt.err)
		}
		if took := time.Since(began); took < patience && tt.name == "hangs" ||
			took >= lab.Patience {
			t.Errorf("%s: after %v", tt.name, took)
		}
	}
	if _, err := Query("/nowhere/at/all", "version", time.Second); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing: %v", err)
	}
}

// After a failed Upgrade the descriptors are close-on-exec again.
func TestUpgradeFails(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	err = Upgrade("/nowhere/at/all", []string{"x"}, nil, []int{int(r.Fd())})
	if !errors.Is(err, unix.ENOENT) {
		t.Errorf("error %v", err)
	}
	if flags, err := unix.FcntlInt(r.Fd(), unix.F_GETFD, 0); err != nil ||
		flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the descriptor would be inherited: %d, %v", flags, err)
	}
	if err := Upgrade("/nowhere/at/all", []string{"x"}, nil,
		[]int{int(r.Fd()), 987654}); !errors.Is(err, unix.EBADF) {
		t.Errorf("a descriptor that is not open: %v", err)
	}
	if flags, err := unix.FcntlInt(r.Fd(), unix.F_GETFD, 0); err != nil ||
		flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("the one before it would be inherited: %d, %v", flags, err)
	}
	syscall.ForkLock.Lock() // as during a start from a disk that hangs
	err = Upgrade("/nowhere/at/all", []string{"x"}, nil, nil)
	syscall.ForkLock.Unlock()
	if err == nil || errors.Is(err, unix.ENOENT) {
		t.Errorf("while the start of a child hangs: %v", err)
	}
}

// A start that is under way is waited for.
func TestUpgradeWaits(t *testing.T) {
	lab.Eventually(t, "a start takes no longer than Upgrade waits", func() bool {
		syscall.ForkLock.Lock()
		time.AfterFunc(5*time.Millisecond, syscall.ForkLock.Unlock)
		return errors.Is(Upgrade("/nowhere/at/all", []string{"x"}, nil, nil), unix.ENOENT)
	})
}

// A child that another goroutine starts meanwhile does not get the descriptors.
func TestUpgradeBesideChildren(t *testing.T) {
	var fds []int
	for range 300 { // to mark them takes a while, in which children start
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 200)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		fds = append(fds, fd)
	}
	over, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			default:
				_ = Upgrade("/nowhere/at/all", []string{"x"}, nil, fds)
			}
		}
	}()
	for range 10 {
		listed, err := osexec.Command("/bin/ls", "/proc/self/fd").Output()
		if err != nil || strings.Contains(string(listed), "\n"+strconv.Itoa(fds[0])+"\n") {
			t.Errorf("%v; it has the descriptors %q", err, listed)
			break
		}
	}
	close(over)
	<-done
}
