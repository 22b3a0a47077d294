package ledger

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Here "killed at any instruction" is meant literally: a child does one operation while ptrace(2)
// lets it run one machine instruction at a time. After each instruction that has changed the file,
// a copy of the file is opened as the next process would find it, had the child been killed there.

const gateClosed, gateInDo, gateDone = 0, 1, 2

// gate is a word that the child shares with the stepping parent.
func gate(path string) (*atomic.Uint64, error) {
	fd, err := unix.Open(path+".gate", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, page); err != nil {
		return nil, err
	}
	m, err := mapFile(fd, page)
	if err != nil {
		return nil, err
	}
	return view[atomic.Uint64](m, 0), nil
}

// stepRole does the operation in a ledger at the parent's word: PATH, OPERATION, number of the
// boot, both clocks.
func stepRole(args []string) error {
	path, d := args[0], operationNamed(args[1])
	boot, _ := strconv.Atoi(args[2])
	sinceBoot, _ := strconv.ParseInt(args[3], 10, 64)
	wall, _ := strconv.ParseInt(args[4], 10, 64)
	now := Moment{time.Duration(sinceBoot), time.UnixMilli(wall)}
	l, _, err := Open(path, MinClients, bootN(boot))
	if err != nil {
		return err
	}
	g, err := gate(path)
	if err != nil {
		return err
	}
	debug.SetGCPercent(-1)
	fmt.Println(unix.Gettid())
	waitForLine()
	g.Store(gateInDo)
	err = l.Do(now, func(t *Tx) {
		d.do(t)
		g.Store(gateDone)
	})
	waitForLine()
	return err
}

// bootN is the n-th boot of a machine that boots when a test wants it to.
func bootN(n int) Boot { return Boot{0: 'b', 1: byte(n)} }

// stepper steps a child through one operation on the ledger at path.
type stepper struct {
	program   string
	path      string
	operation string
	boot      int
	now       Moment
	mem       mapping // the file that the child changes
	hot       []int   // its pages that change
}

// newStepper prepares an operation; pages are those that it changes, besides the first and the undo
// log.
func newStepper(t *testing.T, program, path, name string, boot int, now Moment,
	pages map[int]bool) *stepper {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	mem, err := mapFile(fd, geometryFor(MinClients).size())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mem.unmap() })
	hot := []int{0, page, 2 * page} // the undo log ends in the third
	for at := range pages {
		if at > 2*page {
			hot = append(hot, at)
		}
	}
	return &stepper{program, path, name, boot, now, mem, hot}
}

// plainProgram is this test program without the race detector, which would otherwise execute most
// of the instructions.
func plainProgram(t *testing.T) string {
	t.Helper()
	if !lab.Race {
		return thisProgram
	}
	program, err := buildPlain()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

var plainDir string // until the tests end

var buildPlain = sync.OnceValues(func() (program string, err error) {
	if plainDir, err = os.MkdirTemp("", "ledger"); err != nil {
		return "", err
	}
	program = filepath.Join(plainDir, "ledger.test")
	build := exec.Command("go", "test", "-race=false", "-c", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go test -c: %w\n%s", err, out)
	}
	return program, nil
})

// run calls check with each state of the file that the operation leads through, and returns the
// number of instructions.
func (s *stepper) run(t *testing.T, check func(image []byte)) (instructions, states int) {
	t.Helper()
	g, err := gate(s.path)
	if err != nil {
		t.Fatal(err)
	}
	g.Store(gateClosed)
	// Few instructions of the runtime itself.
	quiet := []string{"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1"}
	c := startAs(t, s.program, nil, quiet, "step", s.path, s.operation, fmt.Sprint(s.boot),
		fmt.Sprint(int64(s.now.Boot)), fmt.Sprint(s.now.Wall.UnixMilli()))
	tid, err := strconv.Atoi(c.line(t))
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // only the thread that attached may step
	defer runtime.UnlockOSThread()
	defer pinTogether(tid)()
	if err := unix.PtraceAttach(tid); err != nil {
		lab.Need(t, "ptrace is needed: "+err.Error())
	}
	waitStep(t, tid)
	c.tell(t, "go")
	image := append([]byte(nil), s.mem...)
	for locked := 0; locked < 2; { // until the lock is had: it is the first system call of Do
		if err := unix.PtraceSyscall(tid, 0); err != nil {
			t.Fatalf("ptrace: %v", err)
		}
		waitStep(t, tid)
		if g.Load() != gateClosed {
			locked++
		}
	}
	for undo := view[undo](s.mem, undoAt); g.Load() != gateDone || undo.used.Load() != 0; {
		if err := unix.PtraceSingleStep(tid); err != nil {
			t.Fatalf("ptrace: %v", err)
		}
		waitStep(t, tid)
		instructions++
		changed := false
		for _, at := range s.hot {
			if !bytes.Equal(image[at:at+page], s.mem[at:at+page]) {
				copy(image[at:at+page], s.mem[at:at+page])
				changed = true
			}
		}
		if changed {
			states++
			check(image)
		}
	}
	if err := unix.PtraceDetach(tid); err != nil {
		t.Fatalf("ptrace: %v", err)
	}
	c.tell(t, "end")
	if err := c.end(); err != nil {
		t.Fatalf("the operation itself: %v", err)
	}
	return instructions, states
}

// pinTogether puts the calling thread and another on one processor, which makes a step ten times
// cheaper, until the function that it returns is called.
func pinTogether(tid int) (release func()) {
	var all, one unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil {
		return func() {}
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	_ = unix.SchedSetaffinity(0, &one)
	_ = unix.SchedSetaffinity(tid, &one)
	return func() { _ = unix.SchedSetaffinity(0, &all) }
}

func waitStep(t *testing.T, tid int) {
	t.Helper()
	var status unix.WaitStatus
	for {
		_, err := unix.Wait4(tid, &status, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("the stepped thread %d: status %#x, %v", tid, status, err)
		}
		return
	}
}

// crashed is the ledger as the next process finds it after a crash that left this image.
func crashed(t *testing.T, dir string, image []byte, boot int) *Ledger {
	t.Helper()
	path := filepath.Join(dir, "crashed")
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	l, notes, err := Open(path, MinClients, bootN(boot))
	if err != nil || len(notes) > 0 {
		t.Fatalf("after a crash: %v, %q", err, notes)
	}
	return l
}
