package exec

import (
	"bufio"
	"errors"
	"maps"
	"os"
	osexec "os/exec"
	"reflect"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

func TestSpawnFailure(t *testing.T) {
	for _, tt := range failures(t) {
		t.Run(tt.name, func(t *testing.T) {
			client, server := connect(t)
			pid, err := new(Stdio).Spawn([]string{tt.path}, os.Environ(), server, someEnds)
			if pathErr, ok := err.(*os.PathError); pid != 0 || !ok || pathErr.Error() != tt.want {
				t.Errorf("Spawn: %d, %v; want 0, an *os.PathError with %q", pid, err, tt.want)
			}
			noChildren(t)

			// The caller can still reply, and no other process has the client.
			if _, err := unix.Write(server, []byte("421 later\r\n")); err != nil {
				t.Error(err)
			}
			unix.Shutdown(server, unix.SHUT_WR)
			client.SetDeadline(time.Now().Add(lab.Patience))
			if text, err := bufio.NewReader(client).ReadString(0); text != "421 later\r\n" {
				t.Errorf("the client read %q, %v", text, err)
			}
		})
	}
	if _, err := new(Stdio).Spawn(nil, nil, 0, Ends{}); !errors.Is(err, unix.ENOENT) {
		t.Errorf("Spawn without a program: %v; want ENOENT", err)
	}
	var sysErr *os.SyscallError
	if _, err := new(Stdio).Spawn([]string{catPath()}, nil, -1, Ends{}); !errors.As(err, &sysErr) ||
		!errors.Is(err, unix.EBADF) {
		t.Errorf("Spawn without a client: %v; want an *os.SyscallError with EBADF", err)
	}
}

// noChildren expects that the test has no child, dead or alive.
func noChildren(t *testing.T) {
	t.Helper()
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("wait4: %d, %v; want ECHILD, no child", pid, err)
	}
}

func TestSpawnLeaksNothing(t *testing.T) {
	missing, good := []string{"/nonexistent/mta"}, []string{truePath(t)}
	_, server := connect(t)
	open := func() []string { return (&session{t: t, pid: os.Getpid()}).fds() }
	before := open()
	stdio := new(Stdio)
	for range 200 {
		if _, err := stdio.Spawn(missing, nil, server, someEnds); !errors.Is(err, unix.ENOENT) {
			t.Fatalf("Spawn: %v; want ENOENT", err)
		}
	}
	noChildren(t)
	for range 200 {
		pid, err := stdio.Spawn(good, nil, server, someEnds)
		if err != nil {
			t.Fatal(err)
		}
		if status := reap(t, pid); status.ExitStatus() != 0 {
			t.Fatalf("status %#x of %s", status, good[0])
		}
	}
	noChildren(t)
	if after := open(); !reflect.DeepEqual(after, before) {
		t.Errorf("fds %v; were %v", after, before)
	}
}

func truePath(t *testing.T) string {
	t.Helper()
	path, err := osexec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A goroutine reaps every child while others spawn and open descriptors.
func TestSpawnReapedElsewhere(t *testing.T) {
	const spawners, each = 4, 50
	missing, good := []string{"/nonexistent/mta"}, []string{truePath(t)}
	done := make(chan struct{})
	reaped := make(map[int]int) // how often, by pid, with status 0
	var reaper, others, spawning sync.WaitGroup
	reaper.Go(func() {
		for last := false; ; {
			select {
			case <-done:
				last = true
			default:
			}
			var status unix.WaitStatus
			pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
			switch {
			case pid > 0 && status.ExitStatus() == 0:
				reaped[pid]++
			case pid > 0 && status.ExitStatus() == 253: // could not exec
			case pid > 0:
				t.Errorf("pid %d has status %#x", pid, status)
			case err == unix.ECHILD && last:
				return
			}
		}
	})
	others.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				if err != nil {
					t.Error(err)
					return
				}
				unix.Close(pair[0])
				unix.Close(pair[1])
			}
		}
	})
	var mu sync.Mutex
	spawned := make(map[int]int)
	stdio := new(Stdio)
	_, server := connect(t)
	for range spawners {
		spawning.Go(func() {
			for range each {
				if _, err := stdio.Spawn(missing, nil, server, someEnds); !errors.Is(err,
					unix.ENOENT) {
					t.Errorf("Spawn: %v; want ENOENT", err)
				}
				pid, err := stdio.Spawn(good, nil, server, someEnds)
				if err != nil {
					t.Errorf("Spawn: %v", err)
				}
				mu.Lock()
				spawned[pid]++
				mu.Unlock()
			}
		})
	}
	all := make(chan struct{})
	go func() { spawning.Wait(); close(all) }()
	select {
	case <-all:
	case <-time.After(2 * lab.Patience): // much work, beside two loops that never pause
		t.Fatal("Spawn hangs")
	}
	close(done)
	reaper.Wait()
	others.Wait()
	if !maps.Equal(reaped, spawned) || len(spawned) != spawners*each {
		t.Errorf("reaped %v; spawned %v", reaped, spawned)
	}
}
