package exec

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// If another goroutine reaps every child, the status of a hook still reaches its Run, and that of
// any other child the reaper.
func TestHooksAmongOthers(t *testing.T) {
	const each, rounds = 6, 25
	again := make(chan struct{}, 1)
	h, err := NewHooks(func() {
		select {
		case again <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	others := map[int]int{} // exit statuses of other children
	done, idle := make(chan struct{}), make(chan struct{})
	reap := func() {
		h.Reap(func(pid int, status unix.WaitStatus) {
			mu.Lock()
			defer mu.Unlock()
			others[pid] = status.ExitStatus()
		})
	}
	go func() { // as a room does, but far more often
		defer close(idle)
		for {
			select {
			case <-done:
				return
			case <-again:
			default:
			}
			reap()
		}
	}()
	dir := t.TempDir()
	paths := make([]string, each)
	for i := range paths {
		paths[i] = filepath.Join(dir, fmt.Sprint("hook", i))
		if err := os.WriteFile(paths[i], fmt.Appendf(nil, "#!/bin/sh\nexit %d\n", i),
			0o755); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	var wrong atomic.Int32
	started := map[int]int{}
	for i := range each {
		all.Go(func() {
			for range rounds {
				err := h.Run([]string{paths[i]}, nil, lab.Patience)
				if i == 0 && err != nil || i > 0 &&
					(err == nil ||
						!strings.HasSuffix(err.Error(), fmt.Sprintf(": exit status %d", i))) {
					wrong.Add(1)
					t.Errorf("hook %d: %v", i, err)
				}
			}
		})
		all.Go(func() { // other children, as MTAs
			for range rounds {
				h.Fork(func() {
					p, err := os.StartProcess(paths[i], []string{paths[i]}, &os.ProcAttr{})
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					started[p.Pid] = i
					mu.Unlock()
					_ = p.Release() // its pidfd; other tests count descriptors
				})
			}
		})
	}
	all.Wait()
	lab.Eventually(t, "all ends are seen", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(others) >= len(started)
	})
	close(done)
	<-idle
	for pid, status := range started {
		if others[pid] != status {
			t.Errorf("process %d has ended with %d; the reaper saw %d", pid, status, others[pid])
		}
	}
	if len(others) != len(started) || len(h.running) != 0 {
		t.Errorf("the reaper saw %d ends of %d, and %d hooks are waited for", len(others),
			len(started), len(h.running))
	}
}

// Reap does not wait while a hook is being started. Afterwards Hooks calls retryReap.
func TestRetryReap(t *testing.T) {
	retry := make(chan struct{}, 10)
	h, err := NewHooks(func() { retry <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	child := p.Pid
	_ = p.Release() // its pidfd; other tests count descriptors
	lab.Eventually(t, "true(1) ends", func() bool { return !lab.Running(child) })
	seen := 0
	h.mu.Lock() // as while a hook is started
	back := make(chan struct{})
	go func() {
		defer close(back)
		h.Reap(func(int, unix.WaitStatus) { seen++ })
	}()
	select {
	case <-back:
	case <-time.After(lab.Patience):
		t.Fatal("Reap waits until the hook is started")
	}
	if seen != 0 {
		t.Errorf("reaped %d", seen)
	}
	select {
	case <-retry:
		t.Error("retryReap is called too early")
	default:
	}
	h.unlock()
	select {
	case <-retry:
	case <-time.After(lab.Patience):
		t.Error("retryReap is not called")
	}
	h.Reap(func(pid int, _ unix.WaitStatus) {
		if pid == child {
			seen++
		}
	})
	if seen != 1 {
		t.Errorf("reaped %d; want 1", seen)
	}
}

// Run waits for the reaper, but not forever.
func TestHookUnreaped(t *testing.T) {
	for _, comes := range []bool{true, false} {
		h, err := NewHooks(func() {})
		if err != nil {
			t.Fatal(err)
		}
		hook := make(chan int, 1)
		var reaped atomic.Bool
		go func() {
			pid := 0
			for deadline := time.Now().Add(lab.Patience); pid == 0 &&
				time.Now().Before(deadline); time.Sleep(time.Millisecond) {
				h.mu.Lock()
				for pid = range h.running {
				}
				h.mu.Unlock()
			}
			hook <- pid
			for comes && lab.Running(pid) { // until it is killed
				time.Sleep(time.Millisecond)
			}
			if comes {
				time.Sleep(100 * time.Millisecond)
				reaped.Store(true)
				h.Reap(func(pid int, _ unix.WaitStatus) {
					t.Errorf("process %d is reported as another child", pid)
				})
			}
		}()
		path := hookScript(t, "exec sleep 600")
		err = h.Run([]string{path}, []string{"PATH=/usr/bin:/bin"}, 300*time.Millisecond)
		want := path + ": killed after 300ms, with all that it had started"
		if !comes {
			want += ", and still running"
		}
		if err == nil || err.Error() != want || comes != reaped.Load() {
			t.Errorf("a reaper comes: %v; it has reaped: %v, error %v; want %s", comes,
				reaped.Load(), err, want)
		}
		h.mu.Lock()
		if len(h.running) != 0 {
			t.Errorf("%d hooks are waited for", len(h.running))
		}
		h.mu.Unlock()
		if !comes {
			reap(t, <-hook)
		}
	}
}
