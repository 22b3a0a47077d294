package ledger

import (
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Clients of the room in the tests: three sessions each.
const roomClients = 4

// roomRole is a room: LEDGER, then "wait" to have no session; "serve" to start an MTA for one session of each
// client, name them, and wait; or "work" to let clients come and MTAs take them over without end.
func roomRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if args[1] == "wait" { // for a ledger of any size
		fmt.Println("ready")
		waitForLine()
		return nil
	}
	if err != nil {
		return err
	}
	var pids []string
	for n := range roomClients {
		var sessions []Session
		for range 3 {
			if err := l.Do(Now(), func(t *Tx) {
				s, _ := t.Enter(from(hostN(n)), aRoom())
				sessions = append(sessions, s)
			}); err != nil {
				return err
			}
		}
		pid, err := startMTA(l, sessions[n%3])
		if err != nil {
			return err
		}
		pids = append(pids, fmt.Sprint(pid))
	}
	fmt.Println(strings.Join(pids, " "))
	waitForLine()
	return nil
}

// startMTA starts an MTA for a session, as a room does.
func startMTA(l *Ledger, s Session) (pid int, err error) {
	mta := sleeper()
	if err := mta.Start(); err != nil {
		return 0, err
	}
	p, err := Identify(mta.Process.Pid)
	if err != nil {
		return 0, err
	}
	return p.PID, l.Do(Now(), func(t *Tx) {
		if s, ok := t.Hand(s, p); ok {
			t.Serve(s)
		}
	})
}

// numbers are those in a line.
func numbers(t *testing.T, line string) (all []int) {
	t.Helper()
	for word := range strings.FieldsSeq(line) {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, n)
	}
	return all
}

// checkRoom holds the sessions of the room's clients against what they should be, as the next client finds them.
func checkRoom(t *testing.T, l *Ledger, when string, conns [roomClients]int, waiting, serving int) {
	t.Helper()
	for n, want := range conns {
		a := from(hostN(n))
		a.Limits = Limits{Conns: 1, Serving: 1, Waiting: 1}
		if s := look(t, l, a); s.Conns != want {
			t.Errorf("%s: client %d has %d sessions; want %d", when, n, s.Conns, want)
		}
	}
	must(t, l, func(tx *Tx) {
		if n := tx.Totals(); n.Waiting != waiting || n.Serving != serving {
			t.Errorf("%s: %d waiting, %d serving; want %d, %d", when, n.Waiting, n.Serving, waiting, serving)
		}
	})
	mustAudit(t, l)
}

// A room that is killed leaves its waiting clients uncounted at once, and those it has handed to MTAs counted until they end.
func TestSessionsOutliveTheRoom(t *testing.T) {
	l := newLedger(t, MinClients)
	room := start(t, "room", ledgerPath(t, l), "serve")
	mtas := numbers(t, room.line(t))
	defer func() {
		for _, pid := range mtas {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}()
	checkRoom(t, l, "while the room lives", [...]int{3, 3, 3, 3}, 8, 4)
	must(t, l, func(tx *Tx) {
		for _, s := range tx.Sessions() {
			if s.Process.Shared == s.Serving || s.Serving == (s.Process.PID == room.Process.Pid) {
				t.Errorf("a session of the room or of an MTA: %+v", s)
			}
		}
	})

	if err := unix.Kill(mtas[0], unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	time.Sleep(identityGood * time.Millisecond) // it is the room's zombie now
	checkRoom(t, l, "when an MTA has ended", [...]int{2, 3, 3, 3}, 8, 3)

	if err := room.kill(); err == nil {
		t.Fatal("it was to be killed")
	}
	checkRoom(t, l, "when the room is gone", [...]int{0, 1, 1, 1}, 0, 3)

	for i, want := range [][roomClients]int{{0, 0, 1, 1}, {0, 0, 0, 1}, {}} {
		if err := unix.Kill(mtas[i+1], unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the MTA is dead", func() bool { _, err := Identify(mtas[i+1]); return err == unix.ESRCH })
		time.Sleep(identityGood * time.Millisecond) // whether or not somebody asks for the zombie
		checkRoom(t, l, fmt.Sprintf("when MTA %d has ended", i+1), want, 0, 2-i)
	}
}

// shiftRole is a room of "work": its clients come without end, each is handed to an MTA, and it never ends by itself.
func shiftRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	fmt.Println("ready")
	parent := unix.Getppid()
	for n := 0; unix.Getppid() == parent; n++ {
		var s Session
		if err := untilFree(func() error {
			return l.Do(Now(), func(t *Tx) { s, _ = t.Enter(from(hostN(n%roomClients)), aRoom()) })
		}); err != nil {
			return err
		}
		if n%3 == 0 {
			continue // it waits until the room is killed
		}
		mta := exec.Command("/bin/sleep", "600")
		if err := mta.Start(); err != nil {
			return err
		}
		p, err := Identify(mta.Process.Pid)
		if err != nil {
			return err
		}
		if err := l.Do(Now(), func(t *Tx) {
			s, _ = t.Hand(s, p)
			t.Serve(s)
		}); err != nil {
			_ = mta.Process.Kill()
		}
	}
	return nil
}

var _ = io.EOF
