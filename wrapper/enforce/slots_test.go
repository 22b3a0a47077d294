package enforce

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// holdSlot is what a process with a slot does: it starts a program, which outlives it, writes its
// pid, and releases the slot when stdin ends.
func holdSlot(path string) error {
	release, err := takeSlot(path, maxHooks, lab.Patience)
	if err != nil {
		return err
	}
	program := osexec.Command("/bin/sleep", "60")
	if err := program.Start(); err != nil {
		return err
	}
	fmt.Println(program.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
	release()
	fmt.Println("released")
	select {}
}

// slotHolder is such a process.
type slotHolder struct {
	*osexec.Cmd
	stdin io.Closer
	said  *bufio.Reader
}

func startSlotHolder(t *testing.T, path string) *slotHolder {
	t.Helper()
	h := &slotHolder{Cmd: osexec.Command("/proc/self/exe")}
	h.Env = append(os.Environ(), slotName+"="+path)
	stdin, err := h.StdinPipe()
	stdout, wrong := h.StdoutPipe()
	if err = errors.Join(err, wrong); err == nil {
		h.stdin, h.said = stdin, bufio.NewReader(stdout)
		err = h.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.kill)
	program, err := strconv.Atoi(h.line(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Kill(program, unix.SIGKILL) })
	return h
}

func (h *slotHolder) line(t *testing.T) string {
	t.Helper()
	line, err := h.said.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (h *slotHolder) kill() {
	_ = h.Process.Kill()
	_ = h.Wait()
}

// slotsFile is a file whose slots are free.
func slotsFile(t *testing.T) string {
	t.Helper()
	return inPlace(t, "").write("slots", "", 0o600)
}

// noSlot wants that none of n slots is free, and that it takes the patience to learn it.
func noSlot(t *testing.T, path string, n int, patience time.Duration) {
	t.Helper()
	began := time.Now()
	release, err := takeSlot(path, n, patience)
	if err == nil {
		release()
	}
	if took := time.Since(began); !errors.Is(err, errNoSlot) || took < patience {
		t.Errorf("error %v after %v; want %v after %v", err, took, errNoSlot, patience)
	}
}

// At most n goroutines have a slot at a time, and all get theirs, though each releases it twice. No
// descriptor stays open. (TestFourAtATime does the same with processes.)
func TestSlots(t *testing.T) {
	const n, goroutines, times = 3, 12, 15
	path := slotsFile(t)
	var wg sync.WaitGroup
	var now, taken atomic.Int64
	for range goroutines {
		wg.Go(func() {
			for range times {
				release, err := takeSlot(path, n, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				if now.Add(1) > n {
					t.Error("too many have a slot")
				}
				time.Sleep(time.Millisecond)
				taken.Add(1)
				now.Add(-1)
				release()
				release()
			}
		})
	}
	wg.Wait()
	if got := taken.Load(); got != goroutines*times {
		t.Errorf("a slot was taken %d times; want %d", got, goroutines*times)
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, _ := os.Readlink("/proc/self/fd/" + fd.Name()); name == path {
			t.Errorf("descriptor %s is open still", fd.Name())
		}
	}
}

// Releasing a slot twice does not release the next slot, which has the same descriptor.
func TestSlotReleasedTwice(t *testing.T) {
	path := slotsFile(t)
	release, err := takeSlot(path, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	release()
	another, err := takeSlot(path, 1, 0) // with the lowest descriptor that is free
	if err != nil {
		t.Fatal(err)
	}
	defer another()
	release()
	noSlot(t, path, 1, 0)
}

// The slot of a process that is killed, or releases it, is free at once, though the program that it
// has started lives on. The slot of a stopped process is not free.
func TestSlotsOfTheKilled(t *testing.T) {
	path := slotsFile(t)
	var all []*slotHolder
	for range maxHooks {
		all = append(all, startSlotHolder(t, path))
	}
	noSlot(t, path, maxHooks, 150*time.Millisecond)
	if err := all[0].Process.Signal(unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	_, err := unix.Wait4(all[0].Process.Pid, &status, unix.WUNTRACED, nil)
	if err != nil || !status.Stopped() {
		t.Fatalf("%v, %v", status, err)
	}
	noSlot(t, path, maxHooks, 0)
	for i, end := range []func(){
		all[0].kill,
		all[1].kill,
		func() { all[2].stdin.Close(); all[2].line(t) },
	} {
		end()
		release, err := takeSlot(path, maxHooks, 0)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		defer release() // keep it
		noSlot(t, path, maxHooks, 0)
	}
}

// Something else than a file has no slots, and stays as it is.
func TestSlotsWithoutAFile(t *testing.T) {
	for name, replace := range map[string]func(path string) error{
		"a symbolic link in its place": func(path string) error {
			return errors.Join(os.Rename(path, path+".away"), os.Symlink(path+".away", path))
		},
		"a directory in its place": func(path string) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		},
	} {
		path := slotsFile(t)
		release, err := takeSlot(path, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		release()
		if err := replace(path + ".lock"); err != nil {
			t.Fatal(err)
		}
		if _, err := takeSlot(path, 1, time.Second); err == nil || errors.Is(err, errNoSlot) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{0, -1} {
		noSlot(t, slotsFile(t), n, 10*time.Millisecond)
	}
}

// Slots and the ledger's own lock are independent.
func TestSlotsAndTheLock(t *testing.T) {
	p := inPlace(t, "")
	p.do(func(*ledger.Tx) {
		release := p.holdSlots()
		noSlot(t, p.config.Ledger.Path, maxHooks, 0)
		release()
		p.holdSlots()()
	})
	defer p.holdSlots()()
	p.do(func(*ledger.Tx) {})
}
