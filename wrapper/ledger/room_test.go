package ledger

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// roomClients are the clients of the room in the tests.
const roomClients = 4

// roomRole is a room: LEDGER, then "wait" to do nothing; "serve" to let each client come three
// times, to start an MTA for one of its sessions, and to name the MTAs; or "work" to let clients
// come without end, two of three to an MTA.
func roomRole(args []string) error {
	if args[1] == "wait" {
		fmt.Println("ready")
		waitForLine()
		return nil
	}
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	if args[1] == "work" {
		fmt.Println("ready")
	}
	parent := unix.Getppid()
	var mtas []string
	for n := 0; unix.Getppid() == parent && (args[1] == "work" || n < 3*roomClients); n++ {
		var s Session
		if err := untilFree(func() error {
			return l.Do(Now(), func(t *Tx) { s, _ = t.Enter(from(hostN(n%roomClients)), aRoom()) })
		}); err != nil {
			return err
		}
		if args[1] == "work" && n%3 == 0 || args[1] == "serve" && n < 2*roomClients {
			continue // it waits
		}
		pid, err := startMTA(l, s)
		if err != nil {
			return err
		}
		mtas = append(mtas, fmt.Sprint(pid))
	}
	fmt.Println(strings.Join(mtas, " "))
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
	return p.PID, untilFree(func() error {
		return l.Do(Now(), func(t *Tx) {
			if s, ok := t.Transfer(s, p); ok {
				t.Serve(s)
			}
		})
	})
}

// startRoom starts a room in a process group of its own, whose orphans become this process's
// children until the test ends, and are killed then.
func startRoom(t *testing.T, path, does string) *child {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	c := startAs(t, thisProgram, &syscall.SysProcAttr{Setpgid: true}, nil, "room", path, does)
	t.Cleanup(func() { c.endGroup() })
	return c
}

// endGroup kills the room and its MTAs.
func (c *child) endGroup() {
	if c.reaped && unix.Kill(-c.Process.Pid, 0) == unix.ESRCH {
		return
	}
	_ = unix.Kill(-c.Process.Pid, unix.SIGKILL)
	_ = c.kill()
	for {
		if _, err := unix.Wait4(-c.Process.Pid, nil, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

// members are the live processes of the room's group.
func (c *child) members(t *testing.T) (pids []int) {
	t.Helper()
	all, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		var text [512]byte
		if rest := readStat(pid, text[:]); len(rest) > 0 && rest[0] != 'Z' &&
			field(rest, 5) == uint64(c.Process.Pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// checkRoom compares the sessions of the room's clients with what they should be, as the next
// client finds them.
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
			t.Errorf("%s: %d waiting, %d serving; want %d, %d", when, n.Waiting, n.Serving, waiting,
				serving)
		}
	})
	mustAudit(t, l)
}

// When a room is killed its waiting clients no longer count, and those with an MTA count until that
// ends.
func TestSessionsOutliveTheRoom(t *testing.T) {
	l := newLedger(t, MinClients)
	room := startRoom(t, ledgerPath(t, l), "serve")
	var mtas [roomClients]int
	if _, err := fmt.Sscan(room.line(t), &mtas[0], &mtas[1], &mtas[2], &mtas[3]); err != nil {
		t.Fatal(err)
	}
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
	lab.Eventually(t, "it is the room's zombie", func() bool {
		_, err := startTime(mtas[0])
		return err == errDead
	})
	time.Sleep(identityTTL * time.Millisecond)
	checkRoom(t, l, "when an MTA has ended", [...]int{2, 3, 3, 3}, 8, 3)

	if err := room.kill(); err == nil {
		t.Fatal("it was to be killed")
	}
	checkRoom(t, l, "when the room is gone", [...]int{0, 1, 1, 1}, 0, 3)

	for i, want := range [][roomClients]int{{0, 0, 1, 1}, {0, 0, 0, 1}, {}} {
		pid := mtas[i+1]
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
			t.Fatal(err)
		}
		checkRoom(t, l, fmt.Sprintf("when MTA %d has ended", i+1), want, 0, 2-i)
	}
}

// Rooms are killed at random moments while they transfer sessions to MTAs: each MTA is counted
// once, except the one whose session the room had no time to transfer.
func TestCrashOfRooms(t *testing.T) {
	l := newLedger(t, MinClients)
	rounds := 30
	if testing.Short() {
		rounds = 5
	}
	transferred := 0
	for range rounds {
		room := startRoom(t, ledgerPath(t, l), "work")
		room.line(t)
		lab.Eventually(t, "an MTA is handed its session", func() (got bool) {
			look := func(tx *Tx) { got = tx.state().serving > 0 }
			return untilFree(func() error { return l.Do(Now(), look) }) == nil && got
		})
		time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
		_ = room.kill()
		mtas := room.members(t)
		var live []LiveSession
		must(t, l, func(tx *Tx) { live = tx.Sessions() })
		of := map[int]int{}
		for _, s := range live {
			if !s.Serving || s.Process.Shared {
				t.Errorf("it counts though the room is gone: %+v", s)
			}
			of[s.Process.PID]++
		}
		uncounted := 0
		for _, pid := range mtas {
			if of[pid] == 0 {
				uncounted++
			}
			if of[pid] > 1 {
				t.Errorf("MTA %d counts %d times", pid, of[pid])
			}
			delete(of, pid)
		}
		if uncounted > 1 || len(of) > 0 {
			t.Errorf("of %d MTAs %d do not count; sessions of others: %v", len(mtas), uncounted, of)
		}
		mustAudit(t, l)
		transferred += len(live)
		room.endGroup()
		must(t, l, func(tx *Tx) {
			if n := tx.Totals(); n.Waiting+n.Serving != 0 {
				t.Errorf("when all are gone: %d waiting, %d serving", n.Waiting, n.Serving)
			}
		})
	}
	t.Logf("%d sessions handed by %d rooms", transferred, rounds)
}
