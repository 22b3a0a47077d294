package room

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Rooms are killed again and again while clients wait, get their MTAs and are refused. That ends no
// session, and the next room counts exactly the sessions that live, also those whose room was
// killed after it had forked the MTA and before it had recorded that in the ledger.
//
// Each room is killed when it has started some of its MTAs. The test goes on until that has cut off
// enough clients, and enough others have got an MTA.
func TestKilled(t *testing.T) {
	const each, rounds, most = 20, 12, 300
	s := serve(t, "greet_delay 300ms stress=300ms\nmax_sessions 10000\nmax_idle 0\n"+
		"spawn_rate 1000\n")
	var inSession []*lab.Client
	for round, cut := 0, 0; round < rounds || len(inSession) < each || cut < each; round++ {
		if round == most {
			t.Fatalf("after %d rounds %d clients got an MTA and %d did not: this test proves "+
				"nothing", most, len(inSession), cut)
		}
		waiting := s.connectMany(each)
		children := rand.N(each)
		for deadline := time.Now().Add(lab.Patience); s.children() < children; {
			if time.Now().After(deadline) {
				t.Fatalf("the room has not started %d MTAs", children)
			}
		}
		s.signal(unix.SIGKILL)
		<-s.Gone
		for _, c := range waiting {
			switch got := reply(c); {
			case strings.HasPrefix(got, "220 "):
				inSession = append(inSession, c)
			case got == "":
				cut++
			default:
				t.Errorf("a client of a killed room gets %q", got)
			}
		}
		s.listen()
	}
	living := len(lab.Processes(func(pid int) bool { return lab.Cmdline(pid)[0] == "mta" }))
	t.Logf("%d clients are in session, %d MTAs live", len(inSession), living)
	if living != len(inSession) {
		t.Errorf("%d MTAs live for %d clients", living, len(inSession))
	}
	s.waitSessions(sessions{Serving: living})
	for _, c := range inSession {
		quit(t, c)
	}
	s.waitSessions(sessions{})
}

// children counts the processes that the room has started.
func (s *server) children() int {
	room := strconv.Itoa(s.PID())
	return len(lab.Processes(func(pid int) bool {
		stat := lab.ProcStat(pid)
		return len(stat) > 1 && stat[1] == room
	}))
}

// The room reports its state to a service manager, at a socket in the file system or an abstract
// one.
func TestNotify(t *testing.T) {
	const watchdog = 400 * time.Millisecond
	for _, abstract := range []bool{false, true} {
		t.Run(fmt.Sprintf("abstract=%v", abstract), func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "s")
			if abstract {
				name = fmt.Sprintf("@sendwrap-test-%d", os.Getpid())
			}
			manager := listenAt(t, name)
			t.Setenv("NOTIFY_SOCKET", name)
			t.Setenv("WATCHDOG_USEC", strconv.FormatInt(watchdog.Microseconds(), 10))
			s := serve(t, "greet_delay 290s stress=290s\nmax_sessions 10\nmax_idle 0\n"+
				"client 127.2.2.2 greet_delay=0s\n")
			manager.expect("READY=1")
			s.connectMany(3)
			c, err := lab.Dial(addr("127.2.2.2"), s.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			manager.expect("STATUS=3 waiting, 1 serving, 0 refused/s")
			manager.expect("WATCHDOG=1")
			s.signal(unix.SIGHUP)
			manager.expect("RELOADING=1\nMONOTONIC_USEC=")
			manager.expect("READY=1")
			s.takeOver()
			manager.expect("READY=1")
			manager.expect("STATUS=3 waiting, 1 serving, 0 refused/s")

			// While its loop is stopped the room sends no WATCHDOG=1, though its other threads run.
			goOn := s.stopLoop()
			manager.mark("stopped")
			manager.expect("stopped") // and what came before
			time.Sleep(5 * watchdog)
			manager.mark("silence")
			if got := manager.next(); got != "silence" {
				t.Errorf("a room whose loop has stopped sends %q", got)
			}
			goOn()
			manager.expect("WATCHDOG=1")
			s.signal(unix.SIGTERM)
			manager.expect("STOPPING=1")
			s.waitEnd()
		})
	}
}

// stopLoop stops the thread that runs the room's loop, and no other, as a debugger does.
func (s *server) stopLoop() (goOn func()) {
	s.t.Helper()
	thread := s.loopThread()
	debugger, err := lab.NewThread(0)
	if err != nil {
		s.t.Fatal(err)
	}
	debugger.Do(func() {
		if err = unix.PtraceSeize(thread); err != nil {
			return
		}
		if err = unix.PtraceInterrupt(thread); err == nil {
			_, err = unix.Wait4(thread, nil, unix.WALL, nil)
		}
	})
	if err != nil {
		s.t.Fatalf("the loop's thread cannot be stopped: %v", err)
	}
	return debugger.Close // without its debugger the thread goes on
}

// loopThread is the thread that waits at the room's epoll descriptor: of the two in the process,
// the one with more descriptors in it. The other is the Go runtime's.
func (s *server) loopThread() (thread int) {
	proc := fmt.Sprintf("/proc/%d/", s.PID())
	poller, most := "", 0
	files, _ := filepath.Glob(proc + "fdinfo/*")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if n := strings.Count(string(text), "tfd:"); n > most {
			poller, most = filepath.Base(file), n
		}
	}
	fd, _ := strconv.Atoi(poller)
	lab.Eventually(s.t, "a thread waits at the poller", func() bool {
		calls, _ := filepath.Glob(proc + "task/*/syscall")
		for _, call := range calls {
			text, _ := os.ReadFile(call)
			if f := strings.Fields(string(text)); len(f) > 1 && f[1] == fmt.Sprintf("%#x", fd) {
				thread, _ = strconv.Atoi(filepath.Base(filepath.Dir(call)))
			}
		}
		return thread > 0
	})
	return thread
}
