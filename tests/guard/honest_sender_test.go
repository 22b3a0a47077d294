package guard

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"sendwrap/tests/lab"
)

// A message to two valid and four dead recipients, in the sender's own order: after two tries at
// most the valid ones have the mail, and the author has the bounces. No client is blocked for it.
// The door knows each sender. A sendmail without a door does not tell the guard what it has read
// ahead, so there the sender must have had mail before.
func TestDeadAmongValid(t *testing.T) {
	conf := "bad_rcpt_delay 1s\nremember 24h"
	eachSender(t, options{conf: conf}, kinds, func(t *testing.T, x *sending) {
		if x.site.kind.name == daemon.name {
			x.send("good002")
		}
		valid, dead := names("good", 2), names("bad", 4)
		fates := x.send(append(slices.Clone(valid), dead...)...)
		for want, names := range map[string][]string{"sent": valid, "bounced": dead} {
			for _, name := range names {
				f := fates[name]
				if len(f) > 2 || f[len(f)-1] != want {
					t.Errorf("%s: %q; want %s at the second try at the latest", name, f, want)
				}
			}
		}
		if reason := x.site.blocked()[networkOf(x.from)]; reason != "" {
			t.Errorf("it is blocked for %s", reason)
		}
		if t.Failed() {
			t.Log(fmt.Sprint(fates), x.lines(), maillog.Containing(x.from.String()))
		}
	})
}

// What real senders do with a reply to their connection, as docs/HONEST-CLIENTS.md says: after the
// first try the mail waits for the next, or the author gets it back.
func TestRefusedConnection(t *testing.T) {
	const deny = "deny 198.18.0.0/15\n"
	all := append(slices.Clone(senders), opensmtpd)
	for _, r := range []struct {
		name, conf string
		kinds      []kind
		block      bool
		bounce     []string // the senders that give the mail back
	}{
		{"DENIED-554", deny, []kind{inetd, room}, false, []string{"exim", "sendmail"}},
		{"DENIED-talk", deny + "on_denied talk", []kind{inetd, room}, false,
			[]string{"exim", "sendmail", "postfix", "opensmtpd"}},
		{"BLOCKED-421", "", kinds, true, nil},
	} {
		t.Run(r.name, func(t *testing.T) {
			eachOf(t, all, options{conf: r.conf}, r.kinds, func(t *testing.T, x *sending) {
				if r.block {
					x.site.command("block", x.from.String())
				}
				x.start([]string{"good000"})
				var f []string
				lab.Eventually(t, "it was tried", func() bool {
					f = x.fates()["good000"]
					return len(f) > 0
				})
				bounces := slices.Contains(r.bounce, x.name)
				if bounces != slices.Equal(f, []string{"bounced"}) ||
					!bounces && f[0] != "deferred" {
					t.Errorf("%s; does it bounce at once? want %v: %q", f, bounces, x.lines())
				}
			})
		})
	}
}

// A 452 for one recipient too many makes the sender try that one later, or begin another message at
// once; no mail is lost.
func TestPutOffRecipient(t *testing.T) {
	eachSender(t, options{conf: "max_rcpts 2"}, kinds, func(t *testing.T, x *sending) {
		names := names("good", 3)
		fates := x.send(names...)
		for _, name := range names {
			if f := fates[name]; len(f) > 2 || f[len(f)-1] != "sent" {
				t.Errorf("%s: %q; want sent at the second try at the latest", name, f)
			}
		}
		logged(t, "MAXRCPTS", netip.AddrPortFrom(x.from, 0))
	})
}

// A 421 at MAIL, for resets, puts the message off. (sendmail is the one that sends several messages
// over one connection, of which the first come to nothing here.)
func TestPutOffMessage(t *testing.T) {
	conf := "max_resets 1\nbad_rcpts 0\nbad_rcpts_total 0"
	everySite(t, options{conf: conf}, kinds, func(t *testing.T, s *site) {
		x := newSending(t, s, senders[len(senders)-1], way{tls: true})
		names := names("bad", 4)
		for _, name := range names {
			x.queue("From: <"+author+">\n\n"+messageText+"\n", []string{name + "@" + lab.HostName})
		}
		x.finish(names)
		if l := logLines(t, "RESETS", netip.AddrPortFrom(x.from, 0), 1); len(l) == 0 {
			t.Error("no line RESETS")
		}
	})
}
