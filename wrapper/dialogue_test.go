package wrapper

import (
	"bytes"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	denied550 = "550 5.7.1 mx.example mail from your network is refused here"
	denied554 = "554 5.7.1 mx.example mail from your network is refused here"
	busy421   = "421 4.3.2 mx.example too busy"
)

func talking() *Dialogue { return &Dialogue{talks: true, host: "mx.example", refusal: denied550} }
func parting(refusal string) *Dialogue {
	return &Dialogue{host: "mx.example", refusal: refusal}
}

// The answer to each command depends on the first word of its line.
func TestDialogue(t *testing.T) {
	const ok, not = "250 2.0.0 ok", "502 5.5.1 not implemented for you"
	const ehlo = "250-mx.example\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"
	const bye = "221 2.0.0 mx.example closing connection"
	const done = "421 4.7.0 mx.example closing connection; mail from your network is refused here"
	const quitOnly = "503 5.5.1 mx.example you are refused, as the greeting says; " +
		"only QUIT is left"
	for _, tt := range []struct {
		d    *Dialogue
		says string
		want []string
		over bool
	}{
		{talking(), "EHLO client.example\r\n", []string{ehlo}, false},
		{talking(), "ehlo\r\n", []string{ehlo}, false},
		{talking(), "HELO client.example\r\n", []string{"250 mx.example"}, false},
		{talking(), "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\nQUIT\r\n",
			[]string{ok, denied550, denied550, "554 5.5.1 no valid recipients", bye}, true},
		{talking(), "rcpt to:<c@d>\r\nRset\r\nNOOP x\r\n", []string{denied550, ok, ok}, false},
		{talking(), "MAIL FROM:<a@b>\nRCPT TO:<c@d>\n", []string{ok, denied550}, false},
		{talking(),
			"STARTTLS\r\nAUTH PLAIN AGEAYg==\r\nVRFY c\r\nEXPN l\r\nBDAT 3 LAST\r\nX\r\n\r\n",
			[]string{not, not, not, not, not, not, not}, false},
		{talking(), " QUIT\r\nQUITX\r\nQUI\r\nQUIT\tnow\r\nNOOP\r\n", []string{not, not, not, bye},
			true},
		{talking(), "\x16\x03\x01\x02\x00\x01\n\xff\xfe\x00\n", []string{not, not}, false},
		{talking(), "NOOP", nil, false},
		{talking(), strings.Repeat("NOOP\r\n", 19) + "QUIT\r\n", append(times(19, ok), bye), true},
		{talking(), strings.Repeat("NOOP\r\n", 25), append(times(20, ok), done), true},
		{talking(), strings.Repeat("NOOP\r\n", 20) + "QUIT\r\n", append(times(20, ok), bye), true},
		{talking(), "NOOP\r\n" + strings.Repeat("x", 5000), []string{ok, done}, true},
		{talking(), "NOOP " + strings.Repeat("x", 4089) + "\r\n", []string{ok}, false},
		{talking(), "NOOP " + strings.Repeat("x", 4090) + "\r\n", []string{done}, true},

		{parting(denied554), "QUIT\r\n", []string{bye}, true},
		{parting(denied554), "EHLO x\r\nRCPT TO:<c@d>\r\nquit\r\nEHLO\r\n",
			[]string{quitOnly, quitOnly, bye}, true},
		{parting(busy421), "EHLO x\r\nQUIT\r\n", []string{busy421, bye}, true},
		{parting(busy421), strings.Repeat("x", 5000), nil, true},
	} {
		want := ""
		for _, line := range tt.want {
			want += line + "\r\n"
		}
		whole, over := tt.d.Hear([]byte(tt.says))
		if string(whole) != want || over != tt.over {
			t.Errorf("%.60q is answered\n%q, over %v; want\n%q, %v",
				tt.says, whole, over, want, tt.over)
		}
		if more, still := tt.d.Hear([]byte("NOOP\r\n")); over && (len(more) > 0 || !still) {
			t.Errorf("%.60q: then it is over, and it answers %q", tt.says, more)
		}
	}
}

func times(n int, line string) (all []string) {
	for range n {
		all = append(all, line)
	}
	return all
}

func TestGreeting(t *testing.T) {
	for _, tt := range []struct {
		d                 *Dialogue
		greeting, goodbye string
	}{
		{talking(), "220 mx.example ESMTP; ", "421 4.7.0 mx.example "},
		{parting(denied554), denied554, ""},
		{parting(busy421), busy421, ""},
	} {
		if got := tt.d.Greeting(); !strings.HasPrefix(got, tt.greeting) {
			t.Errorf("it greets %q; want %q", got, tt.greeting)
		}
		got := tt.d.Goodbye()
		if !strings.HasPrefix(got, tt.goodbye) || (got == "") != (tt.goodbye == "") {
			t.Errorf("its goodbye is %q; want %q", got, tt.goodbye)
		}
		tt.d.Hear([]byte("QUIT\r\n"))
		if got := tt.d.Goodbye(); got != "" {
			t.Errorf("after QUIT it says %q", got)
		}
	}
}

// In a room each dialogue takes this memory in addition, with the reply.
func TestDialogueIsSmall(t *testing.T) {
	if n := int(reflect.TypeOf(Dialogue{}).Size()) + 512; n > 1024 {
		t.Errorf("%d bytes", n)
	}
}

// FuzzDialogue: the answers do not depend on how the input is divided. They are whole lines, one
// for each line and no more than the bounds allow; and nothing is ever accepted.
func FuzzDialogue(f *testing.F) {
	f.Add([]byte("EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nQUIT\r\n"), true, 3)
	f.Add([]byte("QUIT"), true, 1)
	f.Add([]byte("\n\n\r\n"), false, 1)
	f.Add(bytes.Repeat([]byte("RSET\n"), 30), true, 7)
	f.Add(bytes.Repeat([]byte("x"), 5000), true, 1000)
	lines := regexp.MustCompile(`^(?:(?:220|221|250|421|502|503|550|554)[ -][ -~]{1,505}\r\n)*$`)
	f.Fuzz(func(t *testing.T, text []byte, talks bool, piece int) {
		start := func() *Dialogue {
			if talks {
				return talking()
			}
			return parting(denied554)
		}
		at := start()
		whole, over := at.Hear(text)
		if !lines.Match(whole) || bytes.Contains(whole, []byte("354")) {
			t.Fatalf("it answers %q", whole)
		}
		replies := len(regexp.MustCompile(`(?m)^\d\d\d `).FindAll(whole, -1))
		n := bytes.Count(text, []byte("\n"))
		if replies > min(n, talkCommands)+1 || !over && replies != n {
			t.Fatalf("%d replies to %d lines, over %v", replies, n, over)
		}
		if len(text) > talkBytes && !over {
			t.Fatalf("not over after %d bytes", len(text))
		}
		pieces, d := []byte(nil), start()
		for rest := text; len(rest) > 0; {
			n := min(max(1, piece), len(rest))
			answer, _ := d.Hear(rest[:n])
			pieces, rest = append(pieces, answer...), rest[n:]
		}
		if !bytes.Equal(pieces, whole) || d.over != over {
			t.Fatalf("in pieces it answers %q, over %v; in one %q, %v", pieces, d.over, whole, over)
		}
	})
}
