package room

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A room that can have neither a process nor a thread any more (systemd: TasksMax=) goes on:
// waiting clients wait, early talkers are refused, the configuration can be read. A client that
// should get an MTA reads 421 meanwhile.
func TestNoMoreProcesses(t *testing.T) {
	lab.NeedRoot(t)
	group := lab.NewPidsGroup(t) // before the room, so that it goes later
	const friend = "127.1.2.3"
	s := serve(t, "greet_delay 290s stress=290s\nblock off\nallow "+friend+"/32\n")
	const waiting, early = 50, 200
	all := s.connectMany(waiting)
	s.waitSessions(sessions{Waiting: waiting})
	group.Add(s.PID())
	group.Limit(1)
	tell := func(want string) {
		t.Helper()
		c, err := lab.Dial(addr(friend), s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Abort()
		if got := reply(c); !strings.HasPrefix(got, want) {
			t.Fatalf("a client that needs an MTA gets %q; want %s", got, want)
		}
	}
	for range early {
		if got := s.talkEarly(); !strings.HasPrefix(got, "554 ") {
			t.Fatalf("an early talker gets %q", got)
		}
		tell("421 4.3.0")
	}
	if s.logged("TasksMax=") == 0 {
		t.Errorf("the log does not say what is wrong:\n%.2000s", s.log())
	}
	s.signal(unix.SIGHUP)
	s.waitLogged("configuration reloaded", 1)
	s.waitSessions(sessions{Waiting: waiting})
	group.Limit(-1)
	tell("220 ")
	for _, c := range all {
		if err := c.Send("EHLO bot.example"); err != nil {
			t.Fatal(err)
		}
		if got := reply(c); !strings.HasPrefix(got, "554 ") {
			t.Errorf("one that has waited gets %q", got)
		}
	}
	if s.Ended() {
		t.Errorf("the room has ended: %v", s.ProcessState)
	}
}
