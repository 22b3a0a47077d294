package maillog

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// stormName has the test binary write one line to fd 2, with this patience, when fd 0 ends, and say
// by its exit status whether it was lost.
const stormName = "SENDWRAP_MAILLOG_STORM"

func TestMain(m *testing.M) {
	patience, err := time.ParseDuration(os.Getenv(stormName))
	if err != nil {
		os.Exit(m.Run())
	}
	_, _ = io.ReadAll(os.Stdin)
	switch err := write([]byte(stormLine), patience); {
	case err == nil:
		os.Exit(0)
	case strings.Contains(err.Error(), unix.EAGAIN.Error()):
		os.Exit(lostCode)
	}
	os.Exit(1)
}

const lostCode = 3

var stormLine = "PASS " + strings.Repeat("x", 900) + "\n"

// Many processes write a line each to one pipe, which does not hold them all. With a reader and
// enough time no line is lost; without a reader no process waits for ever. Each process knows
// whether its line was lost.
func TestStorm(t *testing.T) {
	const writers = 150
	for _, read := range []bool{true, false} {
		patience := lab.Patience
		if !read {
			patience = 50 * time.Millisecond
		}
		r, w := pipe(t)
		gate, open := pipe(t)
		var all sync.WaitGroup
		var lost, wrong atomic.Int32
		for range writers {
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), stormName+"="+patience.String(), "GOMAXPROCS=1")
			cmd.Stdin, cmd.Stderr = gate, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				_ = cmd.Wait()
				switch cmd.ProcessState.ExitCode() {
				case 0:
				case lostCode:
					lost.Add(1)
				default:
					wrong.Add(1)
				}
			})
		}
		w.Close()
		open.Close()
		if !read {
			all.Wait()
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		all.Wait()
		lines := bytes.Count(text, []byte(stormLine))
		t.Logf("with a reader: %v; %d lines came, %d were lost", read, lines, lost.Load())
		if len(text) != lines*len(stormLine) || lines+int(lost.Load()) != writers ||
			wrong.Load() != 0 {
			t.Errorf("%d bytes and %d lines came, %d were lost, %d failed; "+
				"want %d in all, and whole lines",
				len(text), lines, lost.Load(), wrong.Load(), writers)
		}
		if (lost.Load() > 0) == read {
			t.Errorf("%d lines were lost; with a reader: %v", lost.Load(), read)
		}
	}
}

// A process that had no processor until its time was over still tries once more.
func TestPersistLate(t *testing.T) {
	_, w := pipe(t)
	for want := range 2 {
		tries := 0
		err := persist(int(w.Fd()), -time.Hour, func() error {
			if tries++; tries <= want {
				return unix.EAGAIN
			}
			return nil
		})
		if err != nil || tries != want+1 {
			t.Errorf("after %d tries: %v; want %d, and no error", tries, err, want+1)
		}
	}
}
