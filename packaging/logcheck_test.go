package packaging

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// logcheck leaves out lines on single clients, in both forms of the time. It mails what an
// administrator should see, and what a client makes another program log.
func TestLogcheck(t *testing.T) {
	t.Parallel()
	const (
		mail   = "client=[192.0.2.1]:4000 server=[198.51.100.5]:25 conns=1/50"
		at     = "Dec 28 00:03:11 mx "
		isoAt  = "2026-12-28T00:03:11.123456+00:00 mx "
		failed = "sendwrap[1]: FAILED " + mail
	)
	week := read(t, "../wrapper/report/testdata/week.log")
	for text, mailed := range map[string]bool{
		at + "sendwrap[1]: PASS " + mail:                                    false,
		isoAt + "sendwrap[1]: KNOWN client=[2001:db8::1]:1 server=[::1]:25": false,
		at + "sendwrap[1]: SENT client=[192.0.2.9]:1 network=192.0.2.9/32":  false,
		at + failed:    true,
		isoAt + failed: true,
		at + "sendwrap[1]: BLOCK network=192.0.2.0/24 for=1h reason=x":            true,
		at + "sendwrap[1]: carrying on without limits and memory":                 true,
		at + "sm-mta[2]: helo=<x sendwrap[1]: PASS " + mail:                       true,
		at + "sendwrap[1]: warning: x sendwrap[1]: PASS " + mail:                  true,
		lineOf(week, ": ENDED "):                                                  true,
		lineOf(week, ": ONBLOCK "):                                                true,
		lineOf(week, ": PREGREET "):                                               false,
		lineOf(week, ": BADRCPTS "):                                               false,
		strings.Replace(lineOf(week, ": DNSBL "), "sendwrap[", "sendwrapped[", 1): true,
	} {
		if got := mails(t, text); got != mailed {
			t.Errorf("mailed %t; want %t: %s", got, mailed, text)
		}
	}
}

// lineOf is the first line with a text.
func lineOf(log, text string) string {
	before, after, _ := strings.Cut(log, text)
	rest, _, _ := strings.Cut(after, "\n")
	return before[strings.LastIndex(before, "\n")+1:] + text + rest
}

// mails reports whether logcheck mails a line. It leaves out comments itself.
func mails(t *testing.T, line string) bool {
	t.Helper()
	cmd := exec.Command("sh", "-c", "sed '/^#/d' logcheck >\"$1\" && grep -Evq -f \"$1\"", "sh",
		filepath.Join(t.TempDir(), "rules"))
	cmd.Stdin = strings.NewReader(line + "\n")
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code > 1 {
		t.Fatal(err)
	}
	return err == nil
}
