package try

import (
	"bytes"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// talk returns the stand-in's replies to a client that sends all at once and then ends its side.
func talk(t *testing.T, said string) []string {
	t.Helper()
	return talkWith(t, nil, said)
}

// talkWith does the same with a guard.
func talkWith(t *testing.T, guard *filter, said string) []string {
	t.Helper()
	var out bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		converse(struct {
			io.Reader
			io.Writer
		}{strings.NewReader(said), &out}, "mx.example", guard)
	}()
	select {
	case <-done:
	case <-time.After(ample):
		t.Fatal("the stand-in does not end")
	}
	text := out.String()
	if strings.Count(text, "\n") != strings.Count(text, "\r\n") ||
		!strings.HasSuffix(text, "\r\n") {
		t.Errorf("not all lines end in CRLF: %q", text)
	}
	return strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")
}

func TestStandInDialogue(t *testing.T) {
	tests := []struct {
		name  string
		lines []string // what the client sends; CRLF is added
		want  []string // the replies behind the greeting, by their beginnings
	}{
		{"delivery", []string{"EHLO c", "MAIL FROM:<a@b>", "RCPT TO:<postmaster>", "DATA",
			"Subject: x", "", "text", ".", "QUIT"},
			[]string{"250-mx.example", "250-PIPELINING", "250-8BITMIME", "250-SIZE 1048576",
				"250 ENHANCEDSTATUSCODES", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0 20 bytes",
				"221 2.0.0 mx.example"}},
		{"lower case, HELO, extensions", []string{"helo c", "mail from: <> size=12 BODY=8BITMIME",
			"rcpt to: <Info@example.org>", "quit"},
			[]string{"250 mx.example", "250 2.1.0", "250 2.1.5", "221"}},
		{"who is there and who is not", []string{"HELO c", "MAIL FROM:<>", "RCPT TO:<abuse@x>",
			"RCPT TO:<HostMaster>", "RCPT TO:<nobody@x>", "RCPT TO:<postmasters>", "QUIT"},
			[]string{"250", "250", "250 2.1.5", "250 2.1.5", "550 5.1.1", "550 5.1.1", "221"}},
		{"out of order", []string{"MAIL FROM:<>", "RCPT TO:<info>", "DATA", "EHLO", "HELO c",
			"RCPT TO:<info>", "MAIL FROM:<>", "MAIL FROM:<>", "DATA", "QUIT"},
			[]string{"503", "503", "503", "501 5.5.4", "250", "503", "250", "503", "503", "221"}},
		{"no recipient is left after one that is unknown",
			[]string{"HELO c", "MAIL FROM:<>", "RCPT TO:<x>", "DATA", "QUIT"},
			[]string{"250", "250", "550", "503", "221"}},
		{"RSET and EHLO forget", []string{"HELO c", "MAIL FROM:<>", "RCPT TO:<info>", "RSET",
			"DATA", "MAIL FROM:<>", "HELO c", "MAIL FROM:<>", "QUIT"},
			[]string{"250", "250", "250", "250 2.0.0", "503", "250", "250", "250", "221"}},
		{"syntax", []string{"HELO c", "MAIL", "MAIL <a@b>", "MAIL FROM:a@b", "MAIL FROM:<a@b",
			"MAIL FROM:<a@b> WHAT=1", "MAIL FROM:<a@b>", "RCPT info", "RCPT TO:info", "RCPT TO:<>",
			"RCPT TO:<@x>", "RCPT TO:<info> NOTIFY=NEVER", "DATA now", "QUIT"},
			[]string{"250", "501", "501", "501", "501", "555", "250", "501", "501", "501", "501",
				"555", "501", "221"}},
		{"others", []string{"NOOP", "VRFY postmaster", "HELP", "EXPN x", "", " ", "STARTTLS",
			"GET / HTTP/1.1", "QUIT"},
			[]string{"250", "252", "500", "500", "500", "500", "500", "500", "221"}},
		{"a line of 512 bytes is taken, a longer one is not",
			[]string{"NOOP " + strings.Repeat("x", 505), "NOOP " + strings.Repeat("x", 506),
				"NOOP " + strings.Repeat("x", 5000), "NOOP", "QUIT"},
			[]string{"250", "500 5.5.6", "500 5.5.6", "250", "221"}},
		{"dots", []string{"HELO c", "MAIL FROM:<>", "RCPT TO:<info>", "DATA", "..", "..x", ".x",
			" .", "", ".", "NOOP", "QUIT"},
			// ".", ".x", "x", " .", ""
			[]string{"250", "250", "250", "354", "250 2.0.0 16 bytes", "250 2.0.0 nothing", "221"}},
		{"a dot in the midst of a long line is no end",
			[]string{"HELO c", "MAIL FROM:<>", "RCPT TO:<info>", "DATA",
				strings.Repeat("x", textLine) + ".", strings.Repeat("y", 2*textLine) +
					".", ".", "QUIT"},
			[]string{"250", "250", "250", "354", "250 2.0.0 3006 bytes", "221"}},
		{"too much", []string{"HELO c", "MAIL FROM:<>", "RCPT TO:<info>", "DATA",
			strings.Repeat(strings.Repeat("x", 98)+"\r\n", 1<<20/100+1) +
				".", "MAIL FROM:<>", "QUIT"},
			[]string{"250", "250", "250", "354", "552 5.3.4", "250 2.1.0", "221"}},
		{"too many recipients", append([]string{"HELO c", "MAIL FROM:<>"},
			repeat("RCPT TO:<info>", recipients+1)...),
			append([]string{"250", "250"}, append(repeat("250 2.1.5", recipients),
				"452 4.5.3")...)},
		{"too many mistakes", repeat("WHAT", 100),
			append(repeat("500", mistakes), "421 4.7.0 mx.example")},
		{"left in the midst of DATA", []string{"HELO c", "MAIL FROM:<>", "RCPT TO:<info>", "DATA",
			"x"}, []string{"250", "250", "250", "354"}},
		{"a line without end", []string{"NOOP", strings.Repeat("x", 1<<20)}, []string{"250"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := talk(t, strings.Join(tt.lines, "\r\n")+"\r\n")
			if got[0] != "220 mx.example ESMTP stand-in" {
				t.Errorf("greeting %q", got[0])
			}
			for i := range max(len(got)-1, len(tt.want)) {
				switch {
				case i >= len(tt.want):
					t.Errorf("reply %d: %q; want no more", i+1, got[i+1])
				case i >= len(got)-1:
					t.Errorf("no reply %d; want %q", i+1, tt.want[i])
				case !strings.HasPrefix(got[i+1], tt.want[i]):
					t.Errorf("reply %d: %q; want %q", i+1, got[i+1], tt.want[i])
				}
			}
		})
	}
}

func repeat(line string, n int) []string {
	return strings.Split(strings.Repeat(line+"\n", n-1)+line, "\n")
}

// A person with nc(1) sends bare line feeds.
func TestStandInTakesBareLineFeeds(t *testing.T) {
	got := talk(t, "HELO c\nMAIL FROM:<>\nRCPT TO:<info>\nDATA\nx\n.\nQUIT\n")
	if len(got) != 7 || !strings.HasPrefix(got[5], "250 2.0.0 2 bytes") ||
		!strings.HasPrefix(got[6], "221") {
		t.Errorf("got %q", got)
	}
}

// Whatever the client sends, the session ends with the client, and only replies are sent.
func FuzzStandIn(f *testing.F) {
	for _, said := range []string{"", "\x00\n", "QUIT\r\n",
		"HELO c\nMAIL FROM:<>\nRCPT TO:<info>\nDATA\n..\n.", "MAIL FROM:", "RCPT TO: <",
		"EHLO\x16\x03\r\n"} {
		f.Add(said)
	}
	reply := regexp.MustCompile(`^[2345][0-9][0-9][ -][ -~]+$`)
	f.Fuzz(func(t *testing.T, said string) {
		for _, line := range talk(t, said) {
			if !reply.MatchString(line) {
				t.Errorf("%q was answered by %q", said, line)
			}
		}
	})
}

func TestStandInLosesPatience(t *testing.T) {
	theirs, ours, err := pipes()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.close()
	defer ours.close()
	soon := time.Now().Add(100 * time.Millisecond)
	go converse(stdio{int(ours.in.Fd()), int(ours.out.Fd()), soon}, "mx.example", nil)
	theirs.in.SetReadDeadline(time.Now().Add(ample))
	const want = "220 mx.example ESMTP stand-in\r\n421 4.4.2 mx.example timeout\r\n"
	got := make([]byte, len(want))
	if n, err := io.ReadFull(theirs.in, got); string(got) != want {
		t.Errorf("got %q, %v; want %q", got[:n], err, want)
	}
}

// end is one side of a conversation over two pipes.
type end struct{ in, out *os.File }

func (e end) close() {
	e.in.Close()
	e.out.Close()
}

func pipes() (theirs, ours end, err error) {
	if theirs.in, ours.out, err = os.Pipe(); err != nil {
		return
	}
	ours.in, theirs.out, err = os.Pipe()
	return
}
