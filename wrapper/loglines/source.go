package loglines

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// source is one log.
type source struct {
	name    string
	file    *os.File // nil: from is all there is
	from    io.ReadCloser
	changed time.Time // its last change; now, if it is no file
	size    int64     // in bytes; 0 if nobody knows
}

// open opens the logs, the oldest first, and says which it cannot open. Logs that have not changed
// since begin are left out where nobody has named them.
func (o *Sources) open(begin time.Time) (list []source, wrong []Unreadable) {
	names, named := o.Logs, len(o.Logs) > 0
	if !named {
		names = rotated(o.mailLog(), begin)
	}
	if len(names) == 0 {
		s, err := o.journal(begin)
		if err != nil {
			return nil, []Unreadable{unread("journalctl", err)}
		}
		return []source{s}, nil
	}
	var opened []os.FileInfo
	for _, name := range names {
		if name == "-" {
			list = append(list, source{name: "-", from: io.NopCloser(o.Stdin), changed: o.Now})
			continue
		}
		s, info, err := openLog(name)
		if err != nil {
			wrong = append(wrong, unread(name, causeOf(err)))
			continue
		}
		same := func(other os.FileInfo) bool { return os.SameFile(info, other) }
		if slices.ContainsFunc(opened, same) {
			s.from.Close()
			continue
		}
		opened = append(opened, info)
		list = append(list, s)
	}
	slices.SortStableFunc(list, func(a, b source) int { return a.changed.Compare(b.changed) })
	return list, wrong
}

func openLog(name string) (s source, info os.FileInfo, err error) {
	f, err := os.Open(name)
	if err != nil {
		return s, nil, err
	}
	info, err = f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory; name the files in it")
	}
	if err != nil {
		f.Close()
		return s, nil, err
	}
	s = source{name: name, from: f, changed: info.ModTime()}
	if info.Mode().IsRegular() {
		s.file, s.size = f, info.Size()
	} else {
		s.changed = time.Now()
	}
	return s, info, nil
}

// causeOf is an error without the name of the file, which stands before it.
func causeOf(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	if wantsTooMuch(err) {
		return errors.New(
			"unpacking it takes too much memory; unpack it, and name what comes of it")
	}
	return err
}

// isRotated reports whether logrotate appends that to the name of a log: .1, .2.gz or -20261201.
func isRotated(after string) bool {
	if after == "" || after[0] != '.' && after[0] != '-' {
		return false
	}
	number, packed, _ := strings.Cut(after[1:], ".")
	return isNumber(number) && slices.Contains([]string{"", "gz", "xz", "zst"}, packed)
}

// rotated returns the log and those before it which have changed since begin; nothing if there is
// no such log.
func rotated(log string, begin time.Time) (names []string) {
	if _, err := os.Stat(log); err != nil {
		return nil
	}
	names = []string{log}
	entries, _ := os.ReadDir(filepath.Dir(log))
	for _, e := range entries {
		after, ok := strings.CutPrefix(e.Name(), filepath.Base(log))
		if info, err := e.Info(); err == nil && ok && isRotated(after) &&
			!info.ModTime().Before(begin) {
			names = append(names, filepath.Join(filepath.Dir(log), e.Name()))
		}
	}
	return names
}

// mailLog is where syslogd writes mail's lines, on Debian and elsewhere.
func (o *Sources) mailLog() string {
	if o.MailLog != "" {
		return o.MailLog
	}
	if _, err := os.Stat("/var/log/maillog"); err == nil {
		return "/var/log/maillog"
	}
	return "/var/log/mail.log"
}

// journal runs journalctl(1).
func (o *Sources) journal(begin time.Time) (s source, err error) {
	cmd := osexec.Command(cmp.Or(o.Journalctl, "journalctl"), "--quiet", "--output=json",
		"--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_TRANSPORT",
		"--identifier=sendwrap", "--since=@"+strconv.FormatInt(max(0, begin.Unix()), 10))
	from := &output{cmd: cmd}
	cmd.Stderr = &from.complaint
	from.ReadCloser, err = cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return s, fmt.Errorf("there is no %s, and %w", o.mailLog(), err)
	}
	return source{name: "journalctl", from: from, changed: o.Now}, nil
}

// output is what a program writes. Close reports how it ended, and what it complains of.
type output struct {
	io.ReadCloser
	cmd       *osexec.Cmd
	complaint complaint
}

func (o *output) Close() error {
	o.ReadCloser.Close()
	err := o.cmd.Wait()
	line, _, _ := strings.Cut(string(o.complaint), "\n")
	if err == nil || line == "" {
		return err
	}
	return fmt.Errorf("%w: %s", err, line)
}

// complaint is the beginning of a program's standard error.
type complaint []byte

func (c *complaint) Write(text []byte) (int, error) {
	const most = 500
	*c = append(*c, text[:min(len(text), most-len(*c))]...)
	return len(text), nil
}

// chunk and maxChunks bound what is read of a log to find out how many years it has.
const (
	chunk     = 4 << 10
	maxChunks = 256
)

// start says in which year a log without years begins: it looks at parts of the log, since the last
// line alone is known to be of the last year. A packed log is taken for one of less than a year.
func (y *years) start(s *source) {
	var first, before stamp
	turns := 0
	buf := make([]byte, chunk)
	parts := min(maxChunks, s.size/chunk+1)
	for i := range parts {
		n, _ := s.file.ReadAt(buf, i*max(chunk, (s.size-chunk)/max(1, parts-1)))
		for j, line := range strings.Split(string(buf[:n]), "\n") {
			if j == 0 && i > 0 || len(line) < 16 {
				continue
			}
			at, ok := parseStamp(line[:15])
			switch {
			case !ok:
			case first.month == 0:
				first, before = at, at
			default:
				turns += turn(before, at)
				before = at
			}
		}
	}
	if turns != 0 {
		y.year = latest(before, y.changed, y.zone) - turns
		y.last = first
	}
}

// turn is 1 if a new year has begun between two times, -1 if the clock has gone back over the end
// of one, or else 0.
func turn(from, to stamp) int {
	const leap = 2024
	switch d := to.in(leap, time.UTC).Sub(from.in(leap, time.UTC)); {
	case d < -maxBack:
		return 1
	case d > oneYear-maxBack:
		return -1
	}
	return 0
}
