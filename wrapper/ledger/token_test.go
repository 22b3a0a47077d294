package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A token is the same after it was text, alone or within JSON; so is the zero token.
func TestSessionsAsText(t *testing.T) {
	l := newLedger(t, MinClients)
	all := []Session{
		{},
		{1, Process{PID: 1}, 1},
		{MaxClients, Process{PID: maxPID, Start: math.MaxUint64, Shared: true}, math.MaxInt64},
	}
	must(t, l, func(tx *Tx) {
		for _, p := range []Process{Self(), aRoom(), nobody} {
			s, _ := tx.Enter(from(hostN(1)), p)
			all = append(all, s)
		}
	})
	text, err := json.Marshal(all)
	var back []Session
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil || len(back) != len(all) {
		t.Fatalf("%s: %v", text, err)
	}
	for i, s := range all {
		if back[i] != s {
			t.Errorf("%+v came back as %+v", s, back[i])
		}
	}
	if want, found := "7:4242:123:1700000000000:1",
		textOf(t, Session{7, Process{4242, 123, true}, 1_700_000_000_000}); found != want {
		t.Errorf("a token is %s; older programs write %s", found, want)
	}
}

func textOf(t *testing.T, s Session) string {
	t.Helper()
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is no token is an error and does not change the token. A token of no session has no effect.
func TestSessionsAsGarbage(t *testing.T) {
	for _, text := range []string{
		"", ":", "::::", "1:2:3:4", "1:2:3:4:0:5", "-1:2:3:4:0", "1:2:3:-4:0", "+1:2:3:4:0",
		" 1:2:3:4:0", "1:2:3:4:0\n", "1:2:3:4:2", "0x1:2:3:4:0",
		"4294967296:2:3:4:0", "1:2147483648:3:4:0", "1:2:18446744073709551616:4:0",
		"1:2:3:9223372036854775808:0", "1:2:3:4:\x00", "\xff\xfe",
	} {
		before := Session{1, Process{PID: 2}, 3}
		s := before
		if err := s.UnmarshalText([]byte(text)); err == nil || s != before {
			t.Errorf("%q is %+v, %v", text, s, err)
		}
	}
}

// The error quotes the beginning of a text, cut between characters as fmt cuts it.
func TestSessionsAsGarbageInTheLog(t *testing.T) {
	for _, text := range []string{
		"", "a \"b\"\n", strings.Repeat("x", 100), strings.Repeat("x", 101),
		strings.Repeat("x", 99) + "äöü", strings.Repeat("\xff", 300), strings.Repeat("€", 101),
	} {
		err := new(Session).UnmarshalText([]byte(text))
		if want := fmt.Sprintf("session %.100q: 1 numbers; want 5", text); err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
	err := new(Session).UnmarshalText([]byte("1:2:x:4:0"))
	if !errors.Is(err, strconv.ErrSyntax) || !strings.HasPrefix(err.Error(),
		"session \"1:2:x:4:0\": strconv.ParseUint: ") {
		t.Errorf("%v; want it to wrap %v", err, strconv.ErrSyntax)
	}
}

func FuzzSessionsAsText(f *testing.F) {
	f.Add("7:4242:123:1700000000000:1")
	f.Add("0:0:0:0:0")
	f.Add(":::-:")
	l := newLedger(f, MinClients)
	populate(f, l, Now(), Self())
	before := content(l)
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Session
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(textOf(t, s))); err != nil || again != s {
			t.Errorf("%q is %+v, and then %+v, %v", text, s, again, err)
		}
		must(t, l, func(tx *Tx) {
			tx.Serve(s)
			tx.Leave(s)
			tx.Transfer(s, Self())
		})
		if found := content(l); string(found) != string(before) {
			t.Errorf("%q: %s", text, difference(before, found))
		}
	})
}

// A token that differs in any one number from a valid one fits no session.
func TestSessionsByForgedToken(t *testing.T) {
	l := newLedger(t, MinClients)
	populate(t, l, Now(), aRoom())
	must(t, l, func(tx *Tx) {
		s := tx.sessionOf(hostN(crowded), 0)
		for name, change := range map[string]func(*Session){
			"slot":         func(s *Session) { s.slot = 77 },
			"no slot":      func(s *Session) { s.slot = 0 },
			"slot too far": func(s *Session) { s.slot = l.geo.slots + 1 },
			"pid":          func(s *Session) { s.process.PID++ },
			"huge pid":     func(s *Session) { s.process.PID += 1 << 32 },
			"start":        func(s *Session) { s.process.Start++ },
			"shared":       func(s *Session) { s.process.Shared = false },
			"since":        func(s *Session) { s.since++ },
		} {
			forged := s
			change(&forged)
			if tx.slotOf(forged) >= 0 {
				t.Errorf("another %s: the session is had by %+v", name, forged)
			}
		}
		if tx.slotOf(s) < 0 {
			t.Error("the right token is none")
		}
	})
}

// renewRole enters, executes its own program again with the tokens as arguments, and finds its
// sessions there: LEDGER, tokens.
func renewRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	room := aRoom()
	if len(args) == 1 {
		again := []string{"room", args[0]}
		err := l.Do(Now(), func(t *Tx) {
			for n := range 5 {
				s, _ := t.Enter(from(hostN(n)), room)
				text, _ := s.MarshalText()
				if n != 3 { // one is forgotten
					again = append(again, string(text))
				}
			}
		})
		if err != nil {
			return err
		}
		return syscall.Exec(thisProgram, again, syscall.Environ())
	}
	mine := map[Session]bool{}
	var all []Session
	for _, text := range args[1:] {
		var s Session
		if err := s.UnmarshalText([]byte(text)); err != nil {
			return err
		}
		all, mine[s] = append(all, s), true
	}
	var freed int
	var transferred bool
	err = l.Do(Now(), func(t *Tx) {
		freed = t.FreeExcept(room, func(s Session) bool { return mine[s] })
		t.Serve(all[0])
		t.Leave(all[1])
		_, transferred = t.Transfer(all[3], Process{PID: 1})
	})
	fmt.Println(freed, transferred)
	waitForLine()
	return err
}

// A room that becomes another program by execve goes on with its own sessions only.
func TestSessionsOutliveExecOfTheRoom(t *testing.T) {
	l := newLedger(t, MinClients)
	c := start(t, "renew", ledgerPath(t, l))
	if got := c.line(t); got != "1 true" {
		t.Errorf("freed, handed: %s; want 1 true", got)
	}
	var live []LiveSession
	must(t, l, func(tx *Tx) { live = tx.Sessions() })
	want := map[netip.Addr]string{hostN(0): "room, serving", hostN(2): "room, waiting",
		hostN(4): "MTA, waiting"}
	for _, s := range live {
		found := map[int]string{c.Process.Pid: "room",
			1: "MTA"}[s.Process.PID] + map[bool]string{true: ", serving",
			false: ", waiting"}[s.Serving]
		if host := s.Client.Addr(); want[host] != found {
			t.Errorf("%v: %s; want %s", host, found, want[host])
		}
	}
	if len(live) != len(want) {
		t.Errorf("%d sessions; want %d", len(live), len(want))
	}
	mustAudit(t, l)
}
