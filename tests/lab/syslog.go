package lab

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// listenSyslog listens on a unix datagram socket as syslogd does. Each datagram is given to each,
// one after the other, as `mail.info sendwrap[4243]: PASS …`. Close ends it.
func listenSyslog(path string, each func(line string)) (*net.UnixConn, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(4 << 20)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			each(decodeSyslog(string(buf[:n])))
		}
	}()
	return conn, os.Chmod(path, 0o666)
}

// RFC 3164 as libc writes it to /dev/log: no host name.
var syslogLine = regexp.MustCompile(`(?s)^<(\d{1,3})>(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ` +
	`)?(.*)$`)

// decodeSyslog turns `<22>Nov 21 02:40:00 sendwrap[1]: text` into `mail.info sendwrap[1]: text`. It
// returns other text unchanged.
func decodeSyslog(datagram string) string {
	m := syslogLine.FindStringSubmatch(datagram)
	if m == nil {
		return fmt.Sprintf("not a syslog line: %q", datagram)
	}
	pri, _ := strconv.Atoi(m[1])
	facilities := map[int]string{0: "kern", 1: "user", 2: "mail", 3: "daemon", 4: "auth",
		10: "authpriv"}
	facility := facilities[pri>>3]
	if facility == "" {
		facility = strconv.Itoa(pri >> 3)
	}
	severities := [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
	return facility + "." + severities[pri&7] + " " + strings.TrimRight(m[2], "\n\x00")
}

// mark is what Settle sends, and markLine how it arrives.
const (
	mark     = "\x00settle"
	markLine = `not a syslog line: "\x00settle"`
)

// A Log keeps the lines of a syslogd.
type Log struct {
	file *os.File // a copy, for whoever looks into a failed test; may be nil

	mu      sync.Mutex
	conn    *net.UnixConn
	lines   []string
	grown   chan struct{} // closed and replaced at each line
	sent    int           // marks of Settle
	settled int           // those of them that were read
}

// NewLog makes a log that copies its lines to a file; "" is none.
func NewLog(file string) (*Log, error) {
	l := &Log{grown: make(chan struct{})}
	if file == "" {
		return l, nil
	}
	var err error
	l.file, err = os.Create(file)
	return l, err
}

// Listen takes lines from a socket, until Deafen or Close.
func (l *Log) Listen(path string) error {
	conn, err := listenSyslog(path, l.add)
	l.conn = conn
	return err
}

// Settle returns when all that was logged before is among the lines: writers are ahead of the
// reader, so that a line is missing only after Settle. It sends a datagram that is no line, and
// waits for it.
func (l *Log) Settle() error {
	to, err := net.Dial("unixgram", l.conn.LocalAddr().String())
	if err != nil {
		return err
	}
	defer to.Close()
	l.mu.Lock()
	l.sent++
	mine := l.sent
	l.mu.Unlock()
	if _, err := to.Write([]byte(mark)); err != nil {
		return err
	}
	settled := func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.settled >= mine
	}
	if !Await(settled) {
		return fmt.Errorf("the log has not settled within %v", Patience)
	}
	return nil
}

// Deafen closes the socket. Listen may be called again.
func (l *Log) Deafen() { l.conn.Close() }

// Close closes socket and file.
func (l *Log) Close() {
	l.Deafen()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.file.Close() // if there is one
	l.file = nil
}

func (l *Log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line == markLine {
		l.settled++
		return
	}
	if l.file != nil {
		fmt.Fprintln(l.file, line)
	}
	l.lines = append(l.lines, line)
	close(l.grown)
	l.grown = make(chan struct{})
}

// Forget drops the lines so far. No Wait may be under way.
func (l *Log) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = nil
}

// since returns the lines from the nth on, and a channel that is closed when there are more.
func (l *Log) since(n int) (lines []string, grown <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[n:len(l.lines):len(l.lines)], l.grown
}

// Matching returns the lines so far that match.
func (l *Log) Matching(re *regexp.Regexp) []string {
	lines, _ := l.since(0)
	return slices.DeleteFunc(slices.Clone(lines),
		func(line string) bool { return !re.MatchString(line) })
}

// Wait waits until n lines match, at most for Patience, and returns those that do.
func (l *Log) Wait(re *regexp.Regexp, n int) (found []string) {
	timeout := time.After(Patience)
	for seen := 0; ; {
		lines, grown := l.since(seen)
		seen += len(lines) // each is looked at once: there may be many
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

// Containing returns the lines so far that contain all parts.
func (l *Log) Containing(parts ...string) (found []string) {
	lines, _ := l.since(0)
	for _, line := range lines {
		if !slices.ContainsFunc(parts,
			func(part string) bool { return !strings.Contains(line, part) }) {
			found = append(found, line)
		}
	}
	return found
}

// Tail returns at most the last n lines.
func (l *Log) Tail(n int) string {
	lines, _ := l.since(0)
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
