package room

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// psName is the name of a process, as ps(1) shows it.
func psName(t *testing.T, pid int) string {
	t.Helper()
	out, err := exec.Command(lab.NeedProgram(t, "ps"), "-o", "comm=", "-p",
		strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	return strings.TrimSpace(string(out))
}

// pgrep is what pgrep(1) finds.
func pgrep(t *testing.T, args ...string) (pids []int) {
	t.Helper()
	out, _ := exec.Command(lab.NeedProgram(t, "pgrep"), args...).Output() // status 1 for none
	for _, word := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

// pkill signals the processes of that name, and returns which these were.
func pkill(t *testing.T, signal, name string) []int {
	t.Helper()
	pids := pgrep(t, "-x", name)
	_ = exec.Command(lab.NeedProgram(t, "pkill"), "-"+signal, "-x", name).Run()
	return pids
}

// Room, guard and processes with one client have names of their own, so that a signal to one of
// them does not reach the others. A room that has taken over has its name, an MTA that of its
// program.
func TestNames(t *testing.T) {
	lab.Need(t, lab.NoNamespaces()) // pkill must not find processes of the machine
	const friend = "127.1.2.3"
	s := serve(t, "greet_delay 290s stress=290s\nblock off\nallow "+friend+"/32\n"+
		"guard_listen unix:"+filepath.Join(t.TempDir(), "milter")+"\n")
	each := serveEachBy(t, sendwrap(), "greet_delay 290s stress=290s\nblock off\n")
	guard, err := lab.Start(exec.Command(sendwrap(), "guard", "-f", s.file("conf")),
		filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(guard.KillAll)
	one, err := lab.Dial(stranger(), each.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Abort()
	each.waitSessions(sessions{Waiting: 1})
	waiting, err := lab.Dial(stranger(), s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Abort()
	s.waitSessions(sessions{Waiting: 1})
	s.checkGreeted(addr(friend))
	served, err := lab.Dial(addr(friend), s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer served.Abort()
	if got := reply(served); !strings.HasPrefix(got, "220 ") {
		t.Fatalf("%q", got)
	}
	lab.Eventually(t, "the guard has its name", func() bool {
		return psName(t, guard.PID()) == "sendwrap-guard"
	})

	room := []int{s.PID()}
	for range 2 {
		if got := psName(t, s.PID()); got != "sendwrap-room" {
			t.Fatalf("the room is called %q", got)
		}
		reloads := s.logged("configuration reloaded")
		if got := pkill(t, "HUP", "sendwrap-room"); !slices.Equal(got, room) {
			t.Errorf("processes %v are called sendwrap-room; want %v", got, room)
		}
		s.waitLogged("configuration reloaded", reloads+1)
		s.takeOver()
		lab.Eventually(t, "the successor has its name",
			func() bool { return psName(t, s.PID()) == "sendwrap-room" })
	}
	for _, child := range pgrep(t, "-P", strconv.Itoa(s.PID())) {
		if got := psName(t, child); got != "mta" {
			t.Errorf("the MTA is called %q", got)
		}
	}
	// SIGKILL, at which nothing could go on.
	clients := pkill(t, "KILL", "sendwrap")
	if len(clients) != 1 || slices.Contains(clients, s.PID()) {
		t.Errorf("processes %v are called sendwrap; want the one that waits", clients)
	}
	if got := reply(one); strings.HasPrefix(got, "220 ") || strings.HasPrefix(got, "421 ") {
		t.Errorf("its client reads %q", got)
	}
	if got := pkill(t, "TERM", "sendwrap-guard"); !slices.Equal(got, []int{guard.PID()}) {
		t.Errorf("processes %v are called sendwrap-guard; want %d", got, guard.PID())
	}
	if !guard.Ends() {
		t.Error("the guard does not end")
	}
	s.checkGreeted(addr(friend))
	if got := pkill(t, "TERM", "sendwrap-room"); !slices.Equal(got, room) {
		t.Errorf("processes %v are called sendwrap-room; want %v", got, room)
	}
	s.waitEnd()
	if got := reply(waiting); !strings.HasPrefix(got, "421 ") {
		t.Errorf("the client that waits reads %q", got)
	}
	if got, err := served.Say("NOOP"); err != nil || !strings.HasPrefix(got, "250 ") {
		t.Errorf("the client that is served reads %q, %v", got, err)
	}
}
