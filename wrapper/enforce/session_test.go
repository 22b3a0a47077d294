package enforce

import (
	"io"
	"net/netip"
	"os"
	osexec "os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// session is a process that serves a client.
type session struct {
	*place
	cmd   *osexec.Cmd
	mu    sync.Mutex
	ended time.Time
	how   syscall.WaitStatus
	over  chan struct{}
}

// process starts a process that does nothing, and dies of any signal.
func (p *place) process() *session { return p.processAs(os.Getuid()) }

func (p *place) processAs(uid int) *session {
	p.Helper()
	cmd := osexec.Command("/bin/sleep", "3600")
	if uid != os.Getuid() {
		cmd.SysProcAttr = as(uid)
	}
	return p.run(cmd)
}

func (p *place) run(cmd *osexec.Cmd) *session {
	p.Helper()
	s := &session{place: p, cmd: cmd, over: make(chan struct{})}
	if err := s.cmd.Start(); err != nil {
		p.Fatal(err)
	}
	go func() {
		_ = s.cmd.Wait()
		s.mu.Lock()
		s.ended, s.how = time.Now(), s.cmd.ProcessState.Sys().(syscall.WaitStatus)
		s.mu.Unlock()
		close(s.over)
	}()
	p.Cleanup(func() {
		_ = s.cmd.Process.Kill()
		<-s.over
	})
	return s
}

// as has a process run as another user.
func as(uid int) *syscall.SysProcAttr {
	id := uint32(uid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
}

// serve is a session of a client with a process of its own, in the ledger.
func (p *place) serve(client string) *session {
	p.Helper()
	s := p.process()
	s.enter(client, func(*ledger.Process) {}, true)
	return s
}

// wait is a session of a client that waits in a process of its own.
func (p *place) wait(client string) *session {
	p.Helper()
	cmd := osexec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), waiterName+"=1")
	cmd.Stderr = os.Stderr
	ready, err := cmd.StdoutPipe()
	if err != nil {
		p.Fatal(err)
	}
	s := p.run(cmd)
	if _, err := io.ReadFull(ready, make([]byte, len("ready"))); err != nil {
		p.Fatal(err)
	}
	s.enter(client, func(*ledger.Process) {}, false)
	return s
}

// wasWoken is the exit status of such a process.
const wasWoken = 42

// waitToBeWoken waits in poll(2), in a thread that is not the first of the process: that is the one
// that gets a signal to the process.
func waitToBeWoken() {
	go waitOnAnotherThread()
	select {}
}

func waitOnAnotherThread() {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() { // this is the first thread, which this goroutine keeps
		go waitOnAnotherThread()
		select {}
	}
	_, _ = os.Stdout.WriteString("ready")
	_, err := unix.Poll(nil, -1)
	if err == unix.EINTR {
		syscall.Exit(wasWoken) // os.Exit sleeps for a second with -race
	}
	panic(err)
}

// woken waits until the process has been woken, and fails if something else ended it.
func (s *session) woken() {
	s.Helper()
	s.awaitEnd()
	if s.how.ExitStatus() != wasWoken {
		s.Errorf("process %d ends with %v; want it to be woken",
			s.cmd.Process.Pid, s.cmd.ProcessState)
	}
}

// enter puts a session of the process, changed by spoil, into the ledger.
func (s *session) enter(client string, spoil func(*ledger.Process), serving bool) ledger.Session {
	s.Helper()
	process, err := ledger.Identify(s.cmd.Process.Pid)
	if err != nil {
		s.Fatal(err)
	}
	spoil(&process)
	return s.place.enter(client, process, serving)
}

func (p *place) enter(client string, process ledger.Process, serving bool) (token ledger.Session) {
	p.Helper()
	at := netip.AddrPortFrom(netip.MustParseAddr(client), 4242)
	p.do(func(t *ledger.Tx) {
		var ok bool
		token, ok = t.Enter(ledger.Arrival{
			Client: at, Network: p.config.Network(at.Addr()),
			Limits: ledger.Limits{Serving: 1000, Waiting: 1000},
		}, process)
		if !ok {
			p.Error("no room for a session")
		}
		if serving {
			t.Serve(token)
		}
	})
	return token
}

// ends waits until SIGTERM has ended the process, and returns when.
func (s *session) ends() time.Time {
	s.Helper()
	s.awaitEnd()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.how.Signaled() || s.how.Signal() != unix.SIGTERM {
		s.Errorf("process %d ends with %v; want SIGTERM", s.cmd.Process.Pid, s.cmd.ProcessState)
	}
	return s.ended
}

func (s *session) awaitEnd() {
	s.Helper()
	select {
	case <-s.over:
	case <-time.After(lab.Patience):
		s.Fatalf("process %d still runs after %v", s.cmd.Process.Pid, lab.Patience)
	}
}

// runs reports whether the process is alive.
func (s *session) runs() bool {
	select {
	case <-s.over:
		return false
	default:
		return true
	}
}

// leftAlone ends the process, and reports whether it had been sent no signal before. The first of
// several signals decides how a process ends, even if it has not taken it yet: so the test need not
// wait.
func (s *session) leftAlone() bool {
	_ = s.cmd.Process.Kill()
	<-s.over
	return s.how.Signaled() && s.how.Signal() == unix.SIGKILL
}

// afterGrace calls try with longer and longer graces until it reports that the sessions ended
// within twice the grace. How late they end does not grow with the grace: on a busy machine it
// takes a longer one.
func afterGrace(t *testing.T, try func(t *testing.T, grace time.Duration) bool) {
	t.Helper()
	const shortest = 500 * time.Millisecond
	for grace := shortest; !try(t, grace); grace *= 2 {
		t.Logf("the sessions end more than %v after a grace of %[1]v", grace)
		if grace > 32*shortest {
			t.Fatal("the sessions end too late")
		}
	}
}

// endsAfter fails if the process was ended before the grace was over, and reports whether it was
// ended within twice the grace.
func (s *session) endsAfter(began time.Time, grace time.Duration) bool {
	s.Helper()
	late := s.ends().Sub(began) - grace
	if late < 0 {
		s.Errorf("ended %v before the end of a grace of %v", -late, grace)
	}
	return late <= grace
}
