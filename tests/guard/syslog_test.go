package guard

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A line is one of sendwrap's in the mail log.
type line struct {
	pid    int
	word   string
	text   string
	fields map[string]string
}

var (
	sendwrapLine = regexp.MustCompile(`^mail\.info sendwrap\[(\d+)\]: ([A-Z]+) (.*)$`)
	lineField    = regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|\S+)`)
)

func parseLine(t *testing.T, text string) line {
	t.Helper()
	m := sendwrapLine.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("not a line of sendwrap's: %q", text)
	}
	l := line{word: m[2], text: text, fields: map[string]string{}}
	l.pid, _ = strconv.Atoi(m[1])
	for _, f := range lineField.FindAllStringSubmatch(m[3], -1) {
		l.fields[f[1]] = f[2]
	}
	return l
}

// about matches the lines with this word about a client, or about a connection of it if it has a
// port.
func about(word string, client netip.AddrPort) *regexp.Regexp {
	port := ""
	if client.Port() != 0 {
		port = ":" + strconv.Itoa(int(client.Port())) + " "
	}
	return regexp.MustCompile(`^mail\.info sendwrap\[\d+\]: ` + word + ` client=` +
		regexp.QuoteMeta("["+client.Addr().String()+"]"+port))
}

// logged waits for the one line with this word about a client.
func logged(t *testing.T, word string, client netip.AddrPort) line {
	t.Helper()
	lines := logLines(t, word, client, 1)
	if len(lines) != 1 {
		t.Fatalf("%d lines %s about %v: %q", len(lines), word, client, lines)
	}
	return parseLine(t, lines[0])
}

// logLines waits for n lines with this word about a client, and returns all that there are.
func logLines(t *testing.T, word string, client netip.AddrPort, n int) []string {
	t.Helper()
	lines := maillog.Wait(about(word, client), n)
	if len(lines) < n {
		all := maillog.Containing("[" + client.Addr().String() + "]")
		t.Fatalf("%d lines %s about %v; want %d. All about it:\n%s", len(lines), word, client, n,
			strings.Join(all, "\n"))
	}
	return lines
}

// unlogged checks that there is no line about a client with one of these words.
func unlogged(t *testing.T, words string, client netip.Addr) {
	t.Helper()
	if err := maillog.Settle(); err != nil {
		t.Fatal(err)
	}
	lines := maillog.Matching(about("(?:"+words+")", netip.AddrPortFrom(client, 0)))
	if len(lines) > 0 {
		t.Errorf("in the mail log: %q", lines)
	}
}
