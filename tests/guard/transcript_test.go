package guard

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// transcripts are the transcripts of a client's sessions.
func (s *site) transcripts(t *testing.T, client string) []string {
	t.Helper()
	all, err := filepath.Glob(s.file("transcripts/*-" + client + "-*"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(name string) bool {
		st, err := os.Stat(name)
		return err != nil || st.Size() == 0
	})
}

// A session that led to a block leaves a transcript: what the client said and what the outcome was,
// and nothing of its messages.
func TestTranscript(t *testing.T) {
	everywhere(t, options{conf: "transcript SITE/transcripts"}, func(t *testing.T, s *site, w way) {
		from := w.stranger()
		honest := s.session(t, w, from)
		s.waitDelivered(t, honest.sendMessage("good001"))
		honest.expect("221", "QUIT")

		c := s.session(t, w, from)
		m := c.sendMessage("good001")
		c.expect("250", mailFrom)
		c.expect("550", rcpt("bad000"))
		c.expect("250", "RSET")
		c.expect("250", mailFrom)
		c.tryNames(names("bad", 20)...)
		c.waitClosed()
		s.waitDelivered(t, m)
		var files []string
		lab.Eventually(t, "a transcript is written", func() bool {
			files = s.transcripts(t, from.String())
			return len(files) > 0
		})
		text, err := os.ReadFile(files[0])
		if err != nil || len(files) != 1 {
			t.Fatalf("%v: %q", err, files)
		}
		if st, err := os.Stat(files[0]); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", st.Mode(), err)
		}
		want := regexp.MustCompile(`(?s)HELO +"client.test".*MAIL +"<?sender@client.test>?"` +
			`.*RCPT +"<?good001@mx.test>?"\n.*MAIL.*RCPT +"<?bad000@mx.test>?" ` +
			`+"5\.1\.1[^"]*".*RSET.*MAIL.*RCPT +"<?bad000@mx.test>?" +"5\.1\.1[^"]*".*RCPT ` +
			`+"<?bad001@mx.test>?" +"5\.1\.1`)
		if !want.Match(text) {
			t.Errorf("the transcript does not match %v:\n%s", want, text)
		}
		for _, secret := range []string{messageText, m.subject} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%q is in the transcript:\n%s", secret, text)
			}
		}
	})
}

// All transcripts together never take more than max, however much clients say; the oldest go first.
func TestTranscriptsAreBounded(t *testing.T) {
	const most = 64 << 10
	conf := "transcript SITE/transcripts max=64k\nbad_rcpts 260\nbad_rcpts_total 0\n" +
		"bad_rcpt_delay 0s"
	everySite(t, options{conf: conf}, []kind{daemon, postfix}, func(t *testing.T, s *site) {
		var newest string
		// Transcripts of 25, 78, 17 and 17 kB with sendmail, longer ones with Postfix.
		for _, guesses := range []int{40, 259, 1, 1} {
			from := way{}.stranger()
			c := s.session(t, way{}, from)
			c.expect("250", mailFrom)
			for _, name := range names(strings.Repeat("bad", 66), guesses) {
				c.expect("550", rcpt(name))
			}
			c.tryNames(names("bad", 260)...)
			c.waitClosed()
			newest = from.String()
			lab.Eventually(t, "a transcript is written",
				func() bool { return len(s.transcripts(t, newest)) == 1 })
			var sum int64
			files := s.transcripts(t, "*")
			for _, f := range files {
				st, err := os.Stat(f)
				if err != nil {
					t.Fatal(err)
				}
				sum += st.Size()
			}
			t.Logf("%d files, %d bytes", len(files), sum)
			if sum > most {
				t.Errorf("%d bytes in %d transcripts; want %d at most", sum, len(files), most)
			}
		}
		if len(s.transcripts(t, "*")) < 2 {
			t.Error("only one transcript is kept")
		}
	})
}
