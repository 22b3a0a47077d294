package try

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"sendwrap/wrapper/policy"
)

// scripted is a guard that gives fixed answers, and remembers what it was asked.
type scripted struct {
	mu      sync.Mutex
	answers map[string]milter.Response // by the first words of the question; else Continue
	asked   []string
}

// ask answers one question; its macros are noted with it.
func (g *scripted) ask(question string, macros map[string]string) (milter.Response, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(macros)) {
		if name != "i" { // the queue id is another each time
			question += " " + name + "=" + macros[name]
		}
	}
	g.asked = append(g.asked, question)
	for beginning, answer := range g.answers {
		if strings.HasPrefix(question, beginning) {
			return answer, nil
		}
	}
	return milter.RespContinue, nil
}

// questions are what it was asked, once the last of them has come.
func (g *scripted) questions(last string) []string {
	for deadline := time.Now().Add(ample); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		asked := slices.Clone(g.asked)
		g.mu.Unlock()
		if len(asked) > 0 && asked[len(asked)-1] == last || time.Now().After(deadline) {
			return asked
		}
	}
}

// conversation is one session of a scripted guard.
type conversation struct {
	milter.NoOpMilter
	g *scripted
}

func (c conversation) Connect(host, family string, port uint16, addr net.IP,
	m *milter.Modifier) (milter.Response, error) {
	return c.g.ask(fmt.Sprintf("connect %s %s %d %v", host, family, port, addr), m.Macros)
}
func (c conversation) Helo(name string, m *milter.Modifier) (milter.Response, error) {
	return c.g.ask("helo "+name, nil)
}
func (c conversation) MailFrom(from string, m *milter.Modifier) (milter.Response, error) {
	return c.g.ask("mail <"+from+">", m.Macros)
}
func (c conversation) RcptTo(to string, m *milter.Modifier) (milter.Response, error) {
	return c.g.ask("rcpt <"+to+">", m.Macros)
}
func (c conversation) Body(*milter.Modifier) (milter.Response, error) { return c.g.ask("end", nil) }
func (c conversation) Abort(*milter.Modifier) error {
	_, _ = c.g.ask("abort", nil)
	return nil
}

// listening starts a scripted guard, and returns its address.
func (g *scripted) listening(t *testing.T) policy.Listen {
	t.Helper()
	at := policy.Listen{Network: "unix", Address: filepath.Join(tempDir(t), "guard.sock")}
	l, err := net.Listen(at.Network, at.Address)
	if err != nil {
		t.Fatal(err)
	}
	go g.server().Serve(l)
	t.Cleanup(func() { l.Close() })
	return at
}

func (g *scripted) server() *milter.Server {
	return &milter.Server{
		NewMilter: func() milter.Milter { return conversation{g: g} },
		Actions:   milter.OptSetSymList,
		Protocol: milter.OptNoBody | milter.OptNoHeaders | milter.OptNoEOH | milter.OptNoUnknown |
			milter.OptNoData | milter.OptRcptRej,
	}
}

var attacker = netip.MustParseAddrPort("127.11.0.1:2525")

// talkGuarded returns the stand-in's replies to a client that sends all lines at once.
func talkGuarded(t *testing.T, guard *filter, said ...string) []string {
	t.Helper()
	defer guard.close()
	return talkWith(t, guard, strings.Join(said, "\r\n")+"\r\n")
}

func replies(code int, text string) milter.Response {
	return milter.NewResponseStr(byte(milter.ActReplyCode), fmt.Sprintf("%d %s", code, text))
}

// The stand-in tells the guard what sendmail would.
func TestGuardHearsAll(t *testing.T) {
	g := &scripted{}
	got := talkGuarded(t, askGuard(g.listening(t), attacker),
		"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<aaron@x>", "RCPT TO:<Info@x>", "RSET",
		"RCPT TO:<abby>",
		"MAIL FROM:<>", "RCPT TO:<>", "RCPT TO:<info>", "DATA", "x", ".",
		"MAIL FROM:<>", "EHLO d", "QUIT")
	if want := "220 250 250 550 250 250 503 250 501 250 354 250 250 250 221"; codes(got) != want {
		t.Errorf("replies\n%q; want\n%q", got, want)
	}
	want := []string{
		"connect [127.11.0.1] tcp4 2525 127.11.0.1 " +
			"_=[127.11.0.1] {client_addr}=127.11.0.1 {client_port}=2525",
		"helo c",
		"mail <a@b>",
		"rcpt <aaron@x> {rcpt_addr}=550 5.1.1 user unknown {rcpt_host}=5.1.1 {rcpt_mailer}=error",
		"rcpt <Info@x> {rcpt_addr}=Info@x {rcpt_host}= {rcpt_mailer}=local",
		"abort",
		"mail <>",
		"rcpt <info> {rcpt_addr}=info {rcpt_host}= {rcpt_mailer}=local",
		"end",
		"mail <>",
		"abort",
		"helo d",
	}
	if asked := g.questions("helo d"); !slices.Equal(asked, want) {
		t.Errorf("it was asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
}

// guessedMail is a message of an attacker: a wrong name, then a right one.
var guessedMail = []string{
	"EHLO c", "MAIL FROM:<>", "RCPT TO:<aaron>", "RCPT TO:<info>", "DATA", ".", "QUIT",
}

// The stand-in obeys the guard's answers as sendmail does.
func TestGuardIsObeyed(t *testing.T) {
	over := replies(421, "4.7.0 that is enough, 100%% of it")
	type answers map[string]milter.Response
	tests := []struct {
		name    string
		answers answers
		want    string
	}{
		{"it goes on", nil, "220 250 250 550 250 354 250 221"},
		{"421 to connect", answers{"connect": over}, "421"},
		{"421 to helo", answers{"helo": over}, "220 421"},
		{"421 to mail", answers{"mail": over}, "220 250 421"},
		{"421 to a wrong name", answers{"rcpt <aaron>": over}, "220 250 250 550"},
		{"421 to a right name", answers{"rcpt <info>": over}, "220 250 250 550 421"},
		{"421 to the message", answers{"end": over}, "220 250 250 550 250 354 421"},
		{"452 to one recipient", answers{"rcpt <info>": replies(452, "4.5.3 too many")},
			"220 250 250 550 452 503 500 221"},
		{"another reply to a wrong name", answers{"rcpt <aaron>": replies(452, "4.5.3 no")},
			"220 250 250 550 250 354 250 221"},
		{"mail refused", answers{"mail": milter.RespReject}, "220 250 550 503 503 503 500 221"},
		{"later, perhaps", answers{"end": milter.RespTempFail}, "220 250 250 550 250 354 451 221"},
		{"the client is welcome", answers{"connect": milter.RespAccept, "mail": over},
			"220 250 250 550 250 354 250 221"},
		{"the mail is welcome", answers{"mail": milter.RespAccept, "rcpt": over, "end": over},
			"220 250 250 550 250 354 250 221"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := &scripted{answers: tt.answers}
			got := talkGuarded(t, askGuard(g.listening(t), attacker), guessedMail...)
			if codes(got) != tt.want {
				t.Errorf("replies\n%q; want\n%q", got, tt.want)
			}
			for _, line := range got {
				if strings.HasPrefix(line, "421") &&
					line != "421 4.7.0 that is enough, 100% of it" {
					t.Errorf("%q is not what the guard said", line)
				}
			}
		})
	}
}

// An Accept for one message does not hold for the next.
func TestGuardIsAskedAboutNextMail(t *testing.T) {
	g := &scripted{answers: map[string]milter.Response{"mail <a@b>": milter.RespAccept,
		"rcpt": replies(421, "4.7.0 no")}}
	got := talkGuarded(t, askGuard(g.listening(t), attacker),
		"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<info>", "RSET", "MAIL FROM:<>", "RCPT TO:<info>",
		"QUIT")
	if want := "220 250 250 250 250 250 421"; codes(got) != want {
		t.Errorf("replies\n%q; want\n%q", got, want)
	}
}

// With any fault of the guard, mail flows.
func TestStandInCarriesOnWithoutGuard(t *testing.T) {
	want := "220 250 250 550 250 354 250 221"
	for name, guard := range map[string]func(net.Conn){
		"leaves at once": func(c net.Conn) { c.Close() },
		"leaves after the negotiation": func(c net.Conn) {
			negotiated(c)
			c.Close()
		},
		"answers what is none": func(c net.Conn) {
			negotiated(c)
			fmt.Fprintf(c, "\x00\x00\x00\x01?")
		},
		"speaks SMTP": func(c net.Conn) { fmt.Fprintf(c, "220 mx ESMTP\r\n") },
		"announces a long packet": func(c net.Conn) {
			negotiated(c)
			fmt.Fprintf(c, "\x7f\xff\xff\xffy")
		},
		"has no code in its reply": func(c net.Conn) {
			negotiated(c)
			fmt.Fprintf(c, "\x00\x00\x00\x08yabc no\x00")
		},
	} {
		t.Run(name, func(t *testing.T) {
			at := policy.Listen{Network: "unix", Address: filepath.Join(tempDir(t), "guard.sock")}
			l, err := net.Listen(at.Network, at.Address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					guard(c)
				}
			}()
			if got := talkGuarded(t, askGuard(at, attacker), guessedMail...); codes(got) != want {
				t.Errorf("replies\n%q; want\n%q", got, want)
			}
		})
	}
	t.Run("is not there", func(t *testing.T) {
		guard := askGuard(policy.Listen{Network: "unix",
			Address: filepath.Join(t.TempDir(), "none")}, attacker)
		if guard != nil {
			t.Error("there is a session with nobody")
		}
		if got := talkGuarded(t, guard, guessedMail...); codes(got) != want {
			t.Errorf("replies\n%q; want\n%q", got, want)
		}
	})
}

// negotiated answers an MTA's offer.
func negotiated(c net.Conn) {
	var offer [4 + 1 + 12]byte
	_, _ = c.Read(offer[:])
	_, _ = c.Write([]byte("\x00\x00\x00\x0dO\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x0b\x70"))
}

// codes are the codes of the replies.
func codes(replies []string) string {
	var list []string
	for _, line := range replies {
		if len(line) < 4 || line[3] == ' ' { // not the first lines of a longer one
			list = append(list, line[:min(len(line), 3)])
		}
	}
	return strings.Join(list, " ")
}
