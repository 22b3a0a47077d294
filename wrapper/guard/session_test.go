package guard

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
)

// A session is what a test has the MTA say, a word for each command, and how it is answered:
//
//	mail auth rset end    a transaction; auth: by an authenticated client
//	null                  one of the null sender's
//	good bad busy         recipients: taken, rejected, put off
//
// and c for the MTA's own answer, or the first digits of ours.
func (m *mta) play(commands, answers string) {
	m.t.Helper()
	want := strings.Fields(answers)
	for i, command := range strings.Fields(commands) {
		var got string
		switch command {
		case "mail":
			got = m.mail()
		case "auth":
			got = m.mail("{auth_authen}", "somebody")
		case "null":
			got = m.null()
		case "rset":
			m.rset()
			continue
		case "end":
			got = m.end()
		case "good":
			got = m.good(fmt.Sprint("good", i))
		case "bad":
			got = m.bad(fmt.Sprint("bad", i))
		case "busy":
			got = m.busy(fmt.Sprint("busy", i))
		default:
			m.t.Fatalf("no command %q", command)
		}
		if len(want) == 0 {
			m.t.Fatalf("no answer wanted to %s, the %d.", command, i+1)
		}
		if got = strings.TrimPrefix(got, "y"); !strings.HasPrefix(got, want[0]) {
			m.t.Fatalf("answer to %s, the %d.: %q; want %s", command, i+1, got, want[0])
		}
		want = want[1:]
	}
	if len(want) > 0 {
		m.t.Fatalf("answers %q are left", want)
	}
}

func TestSessions(t *testing.T) {
	for _, c := range []struct {
		name, conf        string
		commands, answers string
	}{
		{"the third bad one", "", "mail bad bad bad good bad mail", "c c c 421 421 421 421"},
		{"over MAIL and RSET", "", "mail bad rset mail bad rset mail good bad rset mail good",
			"c c c c c c 421 421 421"},
		{"over messages", "", "mail good bad end mail good bad end mail good bad end",
			"c c c c c c c c c c 421 421"},
		{"two are let be", "", "mail bad bad good good end mail good end", "c c c c c c c c c"},
		{"what is put off is neither", "bad_rcpts_percent 100",
			"mail busy busy busy busy bad bad bad", "c c c c c c c 421"},
		{"never", "bad_rcpts 0", "mail bad bad bad bad bad bad", "c c c c c c c"},
		{"the first", "bad_rcpts 1", "mail bad good", "c 421 421"},
		{"half", "bad_rcpts_percent 50", "mail good good good bad bad bad", "c c c c c c 421"},
		{"less than half", "bad_rcpts_percent 50", "mail good good good good bad bad bad good bad",
			"c c c c c c c c c c"},
		{"half, at last", "bad_rcpts_percent 50", "mail good good good good bad bad bad bad",
			"c c c c c c c c 421"},
		{"of this network", "bad_rcpts 0\nbad_rcpts_total 2/1h", "mail bad good bad good",
			"c c c 421 421"},
		{"no block", "block off", "mail bad bad bad good", "c c c 421 421"},

		{"recipients of a message", "max_rcpts 2",
			"mail good good good good bad end mail good good good end",
			"c c c 452 452 c c c c c 452 c"},
		{"recipients refused are no good ones", "max_rcpts 1\nbad_rcpts_percent 75",
			"mail good good good good bad bad bad", "c c 452 452 452 c c 421"},
		{"recipients, and bad ones among them", "max_rcpts 1", "mail good bad bad good bad",
			"c c c c 452 421"},

		{"resets", "max_resets 2", "mail rset mail rset mail rset mail good", "c c c 421 421"},
		{"resets do not count twice, nor after a message", "max_resets 1",
			"mail rset rset rset mail end rset mail end mail rset mail", "c c c c c c 421"},
		{"any resets", "max_resets 0", strings.Repeat("mail rset ", 100) + "mail",
			strings.Repeat("c ", 101)},
		{"20 resets", "", strings.Repeat("mail rset ", 21) + "mail",
			strings.Repeat("c ", 21) + "421"},

		{"authenticated", "", "auth bad bad bad bad bad rset auth bad good", "c c c c c c c c c"},
		{"authenticated later", "", "mail bad bad rset auth bad bad bad rset mail good bad",
			"c c c c c c c c c 421"},
		{"authenticated too late", "", "mail bad bad bad auth bad good", "c c c 421 421 421 421"},
		{"authenticated and watched", "guard_auth on", "auth bad bad bad good", "c c c 421 421"},
		{"authenticated, resets and recipients", "max_resets 1\nmax_rcpts 1",
			"auth good good good rset auth rset auth rset auth", "c c c c c c c"},

		{"a client line", "client 192.0.2.0/24 bad_rcpts=5", "mail bad bad bad bad bad",
			"c c c c c 421"},
		{"a client line for another", "client 192.0.3.0/24 bad_rcpts=5", "mail bad bad bad",
			"c c c 421"},
		{"a client line says never", "client 192.0.2.1 bad_rcpts=0", "mail bad bad bad bad bad",
			"c c c c c c"},
		{"a client line about the rest", "client 192.0.2.1 max_rcpts=1 max_resets=1\n" +
			"client 192.0.2.0/24 bad_rcpts_percent=100 bad_rcpts_total=2/1h bad_rcpts=0",
			"mail good good bad rset mail bad bad rset mail", "c c 452 c c c c 421"},

		{"observed", "mode observe\nmax_rcpts 1",
			"mail good good good bad bad bad bad good end rset mail good",
			"c c c c c c c c c c c c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conf := "bad_rcpt_delay 0s\n" + c.conf + "\n"
			if !strings.Contains(c.conf, "_total") {
				conf += "bad_rcpts_total 0\n"
			}
			p := stand(t, conf)
			p.client("192.0.2.1").play(c.commands, c.answers)
		})
	}
}

// A client under allow is not watched: the MTA asks no more, and if it does, the guard agrees.
func TestAllow(t *testing.T) {
	p := stand(t, rules+"allow 192.0.2.0/24\nallow 2001:db8::/32\n")
	for _, addr := range []string{"192.0.2.1", "2001:db8::1"} {
		m := p.mta()
		m.want("a", m.connect(addr, 40000))
		m.play("mail bad bad bad bad good", "c c c c c c")
	}
	m := p.mta()
	m.want("c", m.connect("192.0.3.1", 40000))
	if n := len(p.allSessions()); n != 1 {
		t.Errorf("%d sessions are watched", n)
	}
}

// The line and count of each verdict, once a session whatever follows.
func TestVerdictLines(t *testing.T) {
	for _, c := range []struct {
		name, conf        string
		commands, answers string
		verdict           decide.Verdict
		line              string
	}{
		{"bad ones", "bad_rcpts_total 10/1h", "mail bad bad bad bad", "c c c 421 421",
			decide.BadRcpts,
			`BADRCPTS client=[192.0.2.1]:40000 network=192.0.2.1/32 bad=3/3 total=3/10 ` +
				`per=1h good=0 total_good=0 left=1h reason=bad_rcpts reply=421 queue=QUEUE1 ` +
				`helo="client.example"`},
		{"bad ones among good", "bad_rcpts_total 10/1h", "mail good end mail good bad bad bad bad",
			"c c c c c c c 421 421", decide.BadRcpts,
			`BADRCPTS client=[192.0.2.1]:40000 network=192.0.2.1/32 bad=3/3 total=3/10 ` +
				`per=1h good=2 total_good=1 strikes=1/2 reply=421 queue=QUEUE1 ` +
				`helo="client.example"`},
		{"without a total", "bad_rcpts_total 0\nblock off", "mail bad bad bad", "c c c 421",
			decide.BadRcpts,
			`BADRCPTS client=[192.0.2.1]:40000 network=192.0.2.1/32 bad=3/3 good=0 reply=421 ` +
				`queue=QUEUE1 helo="client.example"`},
		{"in observe mode", "bad_rcpts_total 0\nmode observe", "mail bad bad bad bad", "c c c c c",
			decide.BadRcpts,
			`BADRCPTS client=[192.0.2.1]:40000 mode=observe network=192.0.2.1/32 bad=3/3 ` +
				`good=0 left=1h reason=bad_rcpts queue=QUEUE1 helo="client.example"`},
		{"resets", "max_resets 1", "mail bad rset mail good rset mail mail", "c c c c 421 421",
			decide.Resets,
			`RESETS client=[192.0.2.1]:40000 network=192.0.2.1/32 resets=2/1 bad=1 good=1 ` +
				`reply=421 queue=QUEUE1 helo="client.example"`},
		{"recipients", "max_rcpts 1", "mail good good good", "c c 452 452", decide.MaxRcpts,
			`MAXRCPTS client=[192.0.2.1]:40000 rcpts=2/1 reply=452 queue=QUEUE1 ` +
				`helo="client.example"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stand(t, "bad_rcpt_delay 0s\n"+c.conf+"\n")
			p.client("192.0.2.1").play(c.commands, c.answers)
			line := p.book.await(t, c.verdict.String())
			if !strings.HasSuffix(line, fmt.Sprintf("sendwrap[%d]: %s", os.Getpid(), c.line)) {
				t.Errorf("%s\nwant %s", line, c.line)
			}
			if n := len(p.book.lines(c.verdict.String())); n != 1 {
				t.Errorf("%d lines", n)
			}
			if n := p.count(int(c.verdict)); n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	}
}

// A client's text cannot forge a line, or an answer.
func TestHostileHelo(t *testing.T) {
	p := stand(t, rules)
	m := p.mta()
	m.connect("192.0.2.1", 1)
	m.send("Hx\" reply=250\r\n<22>sendwrap[1]: PASS \x1b[2J%s%n\x00" + strings.Repeat("y", 5000))
	m.play("mail bad bad bad", "c c c 421")
	line := p.book.await(t, "BADRCPTS")
	if !strings.Contains(line, `helo="x\" reply=250\r\n<22>sendwrap[1]: PASS \x1b[2J`) ||
		len(p.book.lines()) != 1 {
		t.Errorf("%q", p.book.lines())
	}
}

// A % in an answer is doubled, since sendmail and Postfix format the text.
func TestPercent(t *testing.T) {
	p := stand(t, rules+"\nhostname mx.example.org\ncontact https://example.org/why%20us")
	m := p.client("192.0.2.1")
	m.play("mail bad bad", "c c c")
	got := m.bad("x")
	const want = "y421 4.7.0 mx.example.org [192.0.2.1] named too many unknown recipients; "
	if !strings.HasPrefix(got, want) ||
		!strings.HasSuffix(got, "; see https://example.org/why%%20us") {
		t.Errorf("%q", got)
	}
}

// The connect packet is enough, also in sendmail's notation of IPv6: macros are not needed.
func TestAddressWithoutMacros(t *testing.T) {
	p := stand(t, rules)
	for written, want := range map[string]string{
		"IPv6:2001:db8:1:0:0:0:0:1": "2001:db8:1::1",
		"IPv6:2001:db8:2::1":        "2001:db8:2::1",
		"2001:db8:3::1":             "2001:db8:3::1",
	} {
		m := p.mta()
		m.want("c", m.ask(connecting(written, 40000)))
		m.send("Hclient.example\x00")
		m.play("mail bad bad bad", "c c c 421")
		p.book.await(t, "BADRCPTS client=["+want+"]:40000")
	}
}
