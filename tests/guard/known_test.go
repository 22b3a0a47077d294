package guard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-milter"

	"sendwrap/tests/lab"
)

const knownByMail = "greet_delay 1s stress=1s\nremember 24h\nremember_after mail\n"

// With remember_after mail a server that sends mail waits once, and a client that asks for
// recipients and sends nothing waits each time; status says how many did.
func TestKnownByMail(t *testing.T) {
	everySite(t, options{conf: knownByMail}, []kind{inetd, room}, func(t *testing.T, s *site) {
		x := newSending(t, s, senders[0], way{})
		prober := way{v6: true}.stranger()
		for i, want := range []string{"PASS", "KNOWN", "KNOWN"} {
			if f := x.send("good000")["good000"]; f[len(f)-1] != "sent" {
				t.Fatalf("message %d: %q", i, f)
			}
			logLines(t, "(?:PASS|KNOWN)", netip.AddrPortFrom(x.from, 0), i+1)
			unloggedBut(t, want, x.from, i)

			c := s.session(t, way{v6: true}, prober)
			c.expect("250", "MAIL FROM:<>")
			c.expect("250", rcpt("good000"))
			c.expect("221", "QUIT")
			logLines(t, "PASS", netip.AddrPortFrom(prober, 0), i+1)
		}
		unlogged(t, "KNOWN", prober)
		var status struct {
			Guard  bool
			Passed struct{ Ended, Silent int }
		}
		lab.Eventually(t, "the guard has seen all sessions end", func() bool {
			if err := json.Unmarshal([]byte(s.command("status", "-json")), &status); err != nil {
				t.Fatal(err)
			}
			return status.Passed.Ended == 4
		})
		if status.Passed.Silent != 3 || !status.Guard {
			t.Errorf("%+v; want 3 silent ones of 4", status)
		}
	})
}

// unloggedBut checks that the session of this number, from 0, of a client has this verdict.
func unloggedBut(t *testing.T, verdict string, client netip.Addr, number int) {
	t.Helper()
	lines := maillog.Matching(about("[A-Z]+", netip.AddrPortFrom(client, 0)))
	if l := parseLine(t, lines[number]); l.word != verdict {
		t.Errorf("session %d: %s; want %s", number, l.text, verdict)
	}
}

// rejecting is a milter that rejects each message at its end.
type rejecting struct{ milter.NoOpMilter }

func (rejecting) Body(*milter.Modifier) (milter.Response, error) { return milter.RespReject, nil }

// A message that a milter after the guard rejects makes its client known; one that a milter before
// the guard rejects does not.
func TestKnownIfRejected(t *testing.T) {
	for _, guardFirst := range []bool{true, false} {
		t.Run(fmt.Sprint("guard-first-", guardFirst), func(t *testing.T) {
			o := options{conf: knownByMail}
			everySite(t, o, []kind{inetd, postfix}, func(t *testing.T, s *site) {
				s.addMilter(guardFirst)
				c := s.session(t, way{}, way{}.stranger())
				c.expect("250", mailFrom)
				c.expect("250", rcpt("good000"))
				c.expect("354", "DATA")
				c.expect("5", "Subject: rejected\r\n\r\ntext\r\n.")
				c.expect("221", "QUIT")
				text := s.command("check", "-n", c.Addr.Addr().String())
				if known := strings.Contains(text, " yes: served at once"); known != guardFirst {
					t.Errorf("known: %v\n%s", known, text)
				}
			})
		})
	}
}

// addMilter adds a milter that rejects all messages, after the guard or before. It must be called
// before the first client comes.
func (s *site) addMilter(guardFirst bool) {
	s.t.Helper()
	other := s.file("run/other.sock")
	l, err := net.Listen("unix", other)
	if err != nil {
		s.t.Fatal(err)
	}
	server := milter.Server{NewMilter: func() milter.Milter { return rejecting{} }}
	go func() { _ = server.Serve(l) }()
	s.t.Cleanup(func() { _ = server.Close() })

	list := func(guard, other string) string {
		if guardFirst {
			return guard + "," + other
		}
		return other + "," + guard
	}
	if s.kind.name == postfix.name {
		const before = "smtpd_milters = "
		guard := "unix:" + s.socket()
		err = cmp.Or(os.Chmod(other, 0o666),
			edit(s.file("etc/main.cf"), before+guard, before+list(guard, "unix:"+other)))
	} else {
		const before = "O InputMailFilters="
		err = edit(s.file("sendmail.cf"), before+"guard\n", before+list("guard", "other")+
			"\nXother, S=local:"+other+", F=R\n")
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
