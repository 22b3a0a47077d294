package guard

import (
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// syslogd is the one of the namespace. Whose line one is says the client's address, or the pid.
type syslogd struct {
	file *os.File // a copy, if $SENDWRAP_GUARD_MAILLOG names one

	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced at each line
}

// maillogVar names a file for whoever looks into a failed test.
const maillogVar = "SENDWRAP_GUARD_MAILLOG"

// logTime bounds the wait for a log line.
const logTime = 10 * time.Second

var maillog = sync.OnceValues(func() (*syslogd, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "/dev/log", Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	l := &syslogd{grown: make(chan struct{})}
	if name := os.Getenv(maillogVar); name != "" {
		if l.file, err = os.Create(name); err != nil {
			return nil, err
		}
	}
	go l.receive(conn)
	return l, os.Chmod("/dev/log", 0o666)
})

func (l *syslogd) receive(conn *net.UnixConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if l.file != nil {
			_, _ = l.file.Write(append(buf[:n:n], '\n'))
		}
		l.mu.Lock()
		l.lines = append(l.lines, withoutTime(string(buf[:n])))
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
}

// RFC 3164 as everybody writes it to /dev/log: no host name.
var syslogLine = regexp.MustCompile(`(?s)^<\d{1,3}>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(.*)$`)

// withoutTime turns `<22>Nov 21 02:40:00 sendwrap[1]: text` into `sendwrap[1]: text`.
func withoutTime(datagram string) string {
	if m := syslogLine.FindStringSubmatch(datagram); m != nil {
		datagram = m[1]
	}
	return strings.TrimRight(datagram, "\n\x00")
}

// since are the lines from the nth on, and a channel that is closed when there are more.
func (l *syslogd) since(n int) (lines []string, grown chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[n:len(l.lines):len(l.lines)], l.grown
}

// matching are the lines so far that match.
func (l *syslogd) matching(re *regexp.Regexp) []string {
	lines, _ := l.since(0)
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !re.MatchString(line) })
}

// wait waits until n lines match, and returns those that do.
func (l *syslogd) wait(re *regexp.Regexp, n int) (found []string) {
	timeout := time.After(logTime)
	for seen := 0; ; {
		lines, grown := l.since(seen)
		seen += len(lines) // each is looked at once: there are many tests, and many lines
		for _, line := range lines {
			if re.MatchString(line) {
				found = append(found, line)
			}
		}
		if len(found) >= n {
			return found
		}
		select {
		case <-grown:
		case <-timeout:
			return found
		}
	}
}

// A line is one of sendwrap's: of whom, what, and the rest in fixed order.
type line struct {
	pid    int
	word   string
	text   string
	fields map[string]string
}

var (
	sendwrapLine = regexp.MustCompile(`^sendwrap\[(\d+)\]: ([A-Z]+) (.*)$`)
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

// about finds the lines in which a client (or one from that port of it) is named with this word.
func about(word string, client netip.AddrPort) *regexp.Regexp {
	port := ""
	if client.Port() != 0 {
		port = ":" + strconv.Itoa(int(client.Port())) + " "
	}
	return regexp.MustCompile(`^sendwrap\[\d+\]: ` + word + ` client=` + regexp.QuoteMeta("["+client.Addr().String()+"]"+port))
}

// logged waits for the one line about a client with that word.
func logged(t *testing.T, word string, client netip.AddrPort) line {
	t.Helper()
	lines := logLines(t, word, client, 1)
	if len(lines) != 1 {
		t.Fatalf("%d lines %s about %v: %q", len(lines), word, client, lines)
	}
	return parseLine(t, lines[0])
}

// logLines waits for n lines about a client with that word, and returns all there are.
func logLines(t *testing.T, word string, client netip.AddrPort, n int) []string {
	t.Helper()
	l, err := maillog()
	if err != nil {
		t.Fatal(err)
	}
	lines := l.wait(about(word, client), n)
	if len(lines) < n {
		told := l.matching(regexp.MustCompile(regexp.QuoteMeta("[" + client.Addr().String() + "]")))
		t.Fatalf("%d lines %s about %v; want %d. There are:\n%s", len(lines), word, client, n, strings.Join(told, "\n"))
	}
	return lines
}

// unlogged fails if there is a line about a client with one of these words.
func unlogged(t *testing.T, words string, client netip.Addr) {
	t.Helper()
	l, err := maillog()
	if err != nil {
		t.Fatal(err)
	}
	if lines := l.matching(about("(?:"+words+")", netip.AddrPortFrom(client, 0))); len(lines) > 0 {
		t.Errorf("in the mail log: %q", lines)
	}
}
