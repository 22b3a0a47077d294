package tests

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A maillog is the syslogd of one machine: it keeps what comes on the log socket, one line each, as `mail.info sendwrap[4243]: PASS …`.
type maillog struct {
	conn *net.UnixConn
	file *os.File

	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced at each line
}

// logTime bounds the wait for a log line.
const logTime = 10 * time.Second

// listenMaillog listens on the unix datagram socket and copies the lines to file, for whoever looks into a failed script.
func listenMaillog(socket, file string) (*maillog, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	f, err := os.Create(file)
	if err != nil {
		conn.Close()
		return nil, err
	}
	l := &maillog{conn: conn, file: f, grown: make(chan struct{})}
	go l.receive()
	return l, os.Chmod(socket, 0o666)
}

func (l *maillog) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.conn.Read(buf)
		if err != nil {
			return
		}
		line := decodeSyslog(string(buf[:n]))
		l.mu.Lock()
		fmt.Fprintln(l.file, line)
		l.lines = append(l.lines, line)
		close(l.grown)
		l.grown = make(chan struct{})
		l.mu.Unlock()
	}
}

func (l *maillog) close() {
	l.conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}

// matching returns the lines so far that match, and a channel that is closed when there are more.
func (l *maillog) matching(re *regexp.Regexp) (lines []string, grown chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if re.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return lines, l.grown
}

// tail returns at most the last n lines.
func (l *maillog) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines[max(0, len(l.lines)-n):], "\n")
}

// wait waits until n lines match and returns those that do.
func (l *maillog) wait(re *regexp.Regexp, n int) []string {
	timeout := time.After(logTime)
	for {
		lines, grown := l.matching(re)
		if len(lines) >= n {
			return lines
		}
		select {
		case <-grown:
		case <-timeout:
			return lines
		}
	}
}

// RFC 3164 as libc and everybody writes it to /dev/log: no host name.
var syslogLine = regexp.MustCompile(`(?s)^<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(.*)$`)

// decodeSyslog turns `<22>Nov 21 02:40:00 sendwrap[1]: text` into `mail.info sendwrap[1]: text`. What is not syslog's form is shown as such.
func decodeSyslog(datagram string) string {
	m := syslogLine.FindStringSubmatch(datagram)
	if m == nil {
		return fmt.Sprintf("not a syslog line: %q", datagram)
	}
	pri, _ := strconv.Atoi(m[1])
	facility := map[int]string{0: "kern", 1: "user", 2: "mail", 3: "daemon", 4: "auth", 10: "authpriv"}[pri>>3]
	if facility == "" {
		facility = strconv.Itoa(pri >> 3)
	}
	severity := [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[pri&7]
	return facility + "." + severity + " " + strings.TrimRight(m[2], "\n\x00")
}

// maillog [-count N] REGEXP
//
// A line of the mail log must match; it is waited for. With -count exactly N lines must. `! maillog REGEXP`: no line so far may match.
func cmdMaillog(ts *testscript.TestScript, neg bool, args []string) {
	want := 1
	exact := false
	if len(args) == 3 && args[0] == "-count" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want, exact, args = n, true, args[2:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: maillog [-count N] REGEXP")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	log := machineOf(ts).log
	if neg {
		if lines, _ := log.matching(re); len(lines) > 0 {
			ts.Fatalf("in the mail log: %s", lines[0])
		}
		return
	}
	lines := log.wait(re, want)
	switch {
	case len(lines) < want, exact && len(lines) != want:
		ts.Fatalf("%d lines of the mail log match %s; want %d", len(lines), re, want)
	case len(lines) > 0:
		ts.Logf("%s", lines[len(lines)-1])
	}
}

// deafsyslog
//
// From here on somebody listens on /dev/log who never reads, and whose queue is full.
func cmdDeafSyslog(ts *testscript.TestScript, neg bool, args []string) {
	var deaf, sender *net.UnixConn
	var err error
	addr := &net.UnixAddr{Name: "/dev/log", Net: "unixgram"}
	machineOf(ts).do(func() {
		if err = os.Remove(addr.Name); err != nil {
			return
		}
		if deaf, err = net.ListenUnixgram("unixgram", addr); err == nil {
			sender, err = net.DialUnix("unixgram", nil, addr)
		}
	})
	ts.Check(err)
	ts.Defer(func() { deaf.Close() })
	defer sender.Close()
	for {
		_ = sender.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := sender.Write([]byte("full")); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				ts.Check(err)
			}
			return
		}
	}
}
