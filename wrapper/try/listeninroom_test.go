package try

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// -room -listen serves until a signal ends it, which also ends the sessions. The log lines of a
// client that is served have its MTA's pid.
func TestListenInRoom(t *testing.T) {
	s := tryListening(t, "-room")
	want := "room           127.0.0.1:" + s.port + ", one sendwrap for all clients: process "
	if !strings.HasPrefix(s.where, want) {
		t.Errorf("%q; want it to begin with %q", s.where, want)
	}
	s.slam("127.0.0.1")
	s.logs(": PREGREET client=[127.0.0.1]:")

	conn := s.dial(addressOf(trusted).String())
	greeting, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(greeting, "220 ") {
		t.Fatalf("greeting %q, %v", greeting, err)
	}
	mta := 0
	lab.Eventually(t, "the ledger has the MTA, no longer the room", func() bool {
		var status struct{ Live []struct{ PID int } }
		err = json.Unmarshal([]byte(s.status("-json")), &status)
		if err != nil || len(status.Live) != 1 {
			t.Fatalf("status %+v, %v; want one session", status, err)
		}
		mta = status.Live[0].PID
		return !strings.HasSuffix(s.where, fmt.Sprintf(" %d", mta))
	})
	s.logs(fmt.Sprintf("sendwrap[%d]: ALLOWED client=[127.4.0.1]:", mta))

	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v; want exit status 0\n%s", err, s.log)
	}
	if err := unix.Kill(mta, 0); err != unix.ESRCH {
		if stat := statOf(mta); stat != "" {
			t.Errorf("the MTA is still there: %s", stat)
		}
	}
	nothingLeft(t, s.tmp)
}

// A room that dies is an error.
func TestListenInRoomThatDies(t *testing.T) {
	s := tryListening(t, "-room")
	pid, err := strconv.Atoi(s.where[strings.LastIndexByte(s.where, ' ')+1:])
	if err != nil {
		t.Fatalf("no pid in %q", s.where)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err = s.cmd.Wait()
	if code := s.cmd.ProcessState.ExitCode(); code != 111 {
		t.Errorf("%v; want exit status 111", err)
	}
	s.logs("sendwrap try: the room ended unexpectedly after ")
	s.logs(": signal: killed\n")
	nothingLeft(t, s.tmp)
}
