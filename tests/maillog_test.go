package tests

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
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
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	l := &maillog{file: f, grown: make(chan struct{})}
	return l, l.listen(socket)
}

// listen must run on the machine's thread.
func (l *maillog) listen(socket string) error {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	l.conn = conn
	_ = l.conn.SetReadBuffer(4 << 20)
	go l.receive(l.conn)
	return os.Chmod(socket, 0o666)
}

func (l *maillog) receive(conn *net.UnixConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buf)
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
