package try

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// serving opens a super-server that starts this test binary as another program.
func serving(t *testing.T, role string) *superServer {
	t.Helper()
	s, err := listen("127.0.0.1:0", []string{itself(t, role), "sendwrap", "-f", "FILE"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSuperServerIsAnInetd(t *testing.T) {
	s := serving(t, "a report")
	defer s.close()
	conn, err := net.Dial("tcp", s.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ample))
	got, err := io.ReadAll(conn)
	const want = `args=["sendwrap" "-f" "FILE"] socket=true nonblock=false protocol=6 cwd=/` + "\n"
	if err != nil || string(got) != want {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
	gone := s.nextExits(t.Context(), 1, ample)
	if len(gone) != 1 || gone[0].err != nil || !gone[0].state.Success() ||
		gone[0].client.String() != conn.LocalAddr().String() {
		t.Errorf("exits %+v; want that of %v with status 0", gone, conn.LocalAddr())
	}
}

func TestSuperServerTellsOfFailures(t *testing.T) {
	s := serving(t, "a sendwrap that crashes")
	defer s.close()
	none, err := listen("127.0.0.1:0", []string{"/nonexistent", "sendwrap"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer none.close()
	call := func(s *superServer) []processExit {
		conn, err := net.Dial("tcp", s.address().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return s.nextExits(t.Context(), 1, ample)
	}
	if gone := call(s); len(gone) != 1 || gone[0].state.ExitCode() != 3 {
		t.Errorf("exits %+v; want exit status 3", gone)
	}
	if gone := call(none); len(gone) != 1 || gone[0].err == nil {
		t.Errorf("exits %+v; want an error", gone)
	}
}

// Processes that do not end by themselves are ended, and waited for.
func TestSuperServerEndsItsProcesses(t *testing.T) {
	s := serving(t, "a sendwrap that hangs")
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	for n := 1; n <= 3; n++ {
		conn, err := net.Dial("tcp", s.address().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for running(s) < n && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
	}
	var pids []int
	s.mu.Lock()
	for p := range s.running {
		pids = append(pids, p.Pid)
	}
	s.mu.Unlock()
	if len(pids) != 3 {
		t.Fatalf("%d processes; want 3", len(pids))
	}
	if gone := s.nextExits(ctx, 1, 50*time.Millisecond); len(gone) != 0 {
		t.Errorf("exits %+v; want none", gone)
	}
	s.close()
	for _, pid := range pids {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			t.Errorf("process %d is still there", pid)
		}
	}
	if conn, err := net.Dial("tcp", s.address().String()); err == nil {
		conn.Close()
		t.Error("still listening")
	}
}

func running(s *superServer) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}

func TestAddress(t *testing.T) {
	for s, want := range map[string]string{
		":2525":          "127.0.0.1:2525",
		":0":             "127.0.0.1:0",
		"127.0.0.2:25":   "127.0.0.2:25",
		"0.0.0.0:25":     "0.0.0.0:25",
		"[::1]:25":       "[::1]:25",
		"localhost:2525": "localhost:2525",
		"2525":           "",
		"127.0.0.1":      "",
		":smtp":          "",
		":70000":         "",
		"":               "",
		"::1:25":         "",
	} {
		got, err := Address(s)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("Address(%q) = %q, %v; want %q", s, got, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "write HOST:PORT or :PORT") {
			t.Errorf("Address(%q): %v does not say what to write", s, err)
		}
	}
}
