package try

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
)

// opened is a stage with a fake room.
func opened(t *testing.T, role string) (*stage, *room) {
	t.Helper()
	t.Setenv("TMPDIR", tempDir(t))
	s, err := open(Options{Program: itself(t, role), Room: true}, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.patience, s.exitTime = ample, 2*time.Second
	r := s.server.(*room)
	t.Cleanup(func() { // once: a ledger that is closed twice unmaps what is not its own
		if err := s.close(); err != nil {
			t.Error(err)
		}
		select {
		case <-r.ended:
		default:
			t.Error("it goes on")
		}
		nothingLeft(t, os.Getenv("TMPDIR"))
	})
	return s, r
}

// The show in a room as a user types it.
func TestShowInRoom(t *testing.T) {
	program := built()
	tests := []struct {
		name, conf string // "" = built in
		want       []string
	}{
		{"built in", "", []string{
			"MTA a stand-in; it discards all mail\nroom 127.0.0.1:",
			", one sendwrap for all clients: process ",
			" 20 at once, client_conns 5 5× 220, 15× 421 4.7.0 5 PASS, 15 CONNS ",
			" waits this time, but is blocked 421 4.7.1 [127.8.0.1] is blocked … BLOCKED ",
			" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" guesses again, second strike ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" comes back, but is blocked 421 4.7.1 [127.11.0.1] is blocked… BLOCKED ",
			" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… " +
				"1 BADRCPTS, 1 PASS, 9 KNOWN ",
			" is on a list that lies, waits 220 ESMTP stand-in PASS ",
			"\n the list is set aside: public-resolver\n",
			" is on a list 554 5.7.1 [127.13.0.1] is listed … DNSBL ",
			"\n is listed by bad.try.example\n",
			" is praised by a list 220 ESMTP stand-in DNSWL ",
			" 500 wait, a known client comes 1× 220, 500× nothing 500 HANGUP, 1 KNOWN ",
			"\n greeted after ",
			"; the room grew by ",
			" kB for each client that waits\n",
			"\nthe room ends at SIGTERM exit status 0 ",
			"\nall 23 scenes went as expected\n",
		}},
		{"what cannot be shown", `
			greet_delay 0s
			on_pregreet tempfail
			client_rate 3/2m
			client_conns 2
			max_sessions 1
			max_waiting 1 room=3
			spawn_rate 1
			room_idle 1s
			block strikes=2 within=1s for=1s max=1s
			on_denied talk
			mta ` + program + ` try -mta
			`, []string{
			", max_sessions 40, max_waiting 40, max_waiting room=1000, " +
				"spawn_rate 40, room_idle 0\n",
			" is denied, refused at RCPT 220, then 550 5.7.1 DENIED ",
			" 8 in a row, client_rate 3/2m 3× 220, 5× 421 4.7.0 ",
			"\nall 23 scenes went as expected\n",
		}},
		{"what is off, and an MTA that is there", `
			greet_delay 1s
			teaser "one moment"
			on_pregreet drop
			remember 0
			block off
			mta ` + program + ` try -mta
			`, []string{
			"; changed for the show: ledger, log, mode, networks, lists, guard_listen, " +
				"room_idle 0\n",
			"\n postmaster receives two messages\n",
			" speaks before the greeting closed without a reply PREGREET ",
			" 500 wait, an allowed one comes 1× 220, 500× nothing 500 HANGUP, 1 ALLOWED ",
			"\nall 21 scenes went as expected\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, program, tt.conf, []string{"-room", "-slow"}, tt.want)
		})
	}
}

// The show notices a room that does something else, scene by scene.
func TestShowFindsOutRoom(t *testing.T) {
	tests := []struct {
		role, verdict string
		want          []string
	}{
		{"a room that lets everyone through", "22 of 23 scenes did not go as expected", []string{
			"\n  ! 220 came after ", "; want at least 9.00s\n",
			"; want 554 5.7.1\n",
			"\n  ! 20 saw 220; want 5\n",
			" saw 220; want 1\n",
			"\n  ! the ledger counts none; want ",
		}},
		{"a room that denies everyone", "22 of 23 scenes did not go as expected", []string{
			"\n  ! saw \"554 5.7.1 no\"; want 220\n",
		}},
		{"a sendwrap that crashes", "23 of 23 scenes did not go as expected", []string{
			"connection refused\n", "\n  ! the room ended unexpectedly after ", ": exit status 3\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			findsOut(t, tt.role, "9s", Options{Room: true}, tt.verdict, tt.want)
		})
	}
}

// What a room leaves behind of its clients is printed, and does not end the show.
func TestRoomLeaves(t *testing.T) {
	for role, want := range map[string]string{
		"a room that serves nobody":     `saw "nothing"; want 220`,
		"a room that keeps connections": "\nconnections that the room still holds: 1",
		"a room that keeps its MTAs":    "\nMTAs of the room that did not end: 1",
	} {
		t.Run(role, func(t *testing.T) {
			s, r := opened(t, role)
			if role == "a room that serves nobody" {
				s.patience = 100 * time.Millisecond
			}
			sees := outcome{reply: greeted, clients: 1, most: time.Second}
			sc := single(patient, "waits", (*client).wait, sees, decide.Pass)
			seen, err := s.play(t.Context(), sc)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen.problems, "\n"); !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
			for _, pid := range childrenOf(r.process.Pid) {
				if stat := statOf(pid); stat != "" {
					t.Errorf("still there: %s", stat)
				}
			}
		})
	}
}

// statOf is what the kernel says about a process; "" if it has ended.
func statOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil || strings.Contains(string(text), ") Z ") {
		return ""
	}
	return string(text)
}

// The end of a room is a scene.
func TestRoomEnds(t *testing.T) {
	for role, want := range map[string]string{
		"a room that denies everyone":  "",
		"a room that fails in the end": "the room ended with exit status 7; want exit status 0",
		"a room that does not end":     "the room did not end within 300ms of SIGTERM",
		"a sendwrap that crashes":      ": exit status 3",
	} {
		t.Run(role, func(t *testing.T) {
			_, r := opened(t, role)
			if role == "a sendwrap that crashes" {
				<-r.ended
			} else {
				awaitAnswer(t, r)
			}
			within := ample
			if role == "a room that does not end" {
				within = 300 * time.Millisecond
			}
			seen, err := r.end(t.Context(), within)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(seen.problems, "\n")
			if !strings.HasSuffix(got, want) || (got == "") != (want == "") {
				t.Errorf("got %q; want %q", got, want)
			}
			if len(seen.sights) != 1 {
				t.Errorf("%d sights", len(seen.sights))
			}
		})
	}
}

// awaitAnswer waits until a fake room has served a client, so that it handles SIGTERM.
func awaitAnswer(t *testing.T, r *room) {
	t.Helper()
	conn, err := net.Dial("tcp", r.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ample))
	if _, err := io.ReadAll(conn); err != nil {
		t.Fatal(err)
	}
}

func TestRoomIsInetdWait(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/nonexistent")
	t.Setenv("LISTEN_FDS", "1")
	_, r := opened(t, "a room's report")
	conn, err := net.Dial("tcp", r.address().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(ample))
	got, err := io.ReadAll(conn)
	// The fake has made it non-blocking, to accept.
	const want = "socket=true nonblock=true protocol=6 cwd=/\n"
	if err != nil || !strings.HasSuffix(string(got), want) {
		t.Errorf("got  %q, %v\nwant %q", got, err, want)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", r.process.Pid))
	if err != nil || strings.Contains(string(environ), "NOTIFY_SOCKET") ||
		strings.Contains(string(environ), "LISTEN_FDS") {
		t.Errorf("environment %q, %v", environ, err)
	}
	if group, err := unix.Getpgid(r.process.Pid); err != nil || group != r.process.Pid {
		t.Errorf("process group %d, %v; want %d, so that ^C does not reach it",
			group, err, r.process.Pid)
	}
}
