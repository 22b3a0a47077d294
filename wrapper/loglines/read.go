package loglines

import (
	"bytes"
	"fmt"
	"io"
	"time"
)

// Sources say which logs are read.
type Sources struct {
	Logs  []string // names of files, and "-" for Stdin; none: the machine's mail log
	Stdin io.Reader
	Now   time.Time
	Zone  *time.Location // of the times in logs

	// Progress is called from time to time with what was read, in bytes, and what there is; all is
	// 0 if nobody knows. It may be nil.
	Progress func(read, all int64)

	MailLog, Journalctl string // "": where they are everywhere
}

// Unread is what could not be read.
type Unread struct {
	Logs    []string     `json:"-"`     // those that were read, the oldest first
	Lines   int          `json:"lines"` // that are no lines of a log
	TooLong int          `json:"too_long"`
	Garbled int          `json:"garbled"` // ours, but cut, or two in one
	Files   []Unreadable `json:"files"`
}

// Unreadable is a log that could not be read, or not to its end.
type Unreadable struct {
	File string `json:"file"`
	Why  string `json:"why"`

	cause error // Why
}

// unread is a log with the error that kept it from being read.
func unread(file string, err error) Unreadable {
	return Unreadable{file, err.Error(), err}
}

// reading is under way.
type reading struct {
	Unread
	progress
	each func(*Line)
}

// Read calls each with each line of ours, in the order of the logs. A line is valid until each
// returns. The machine's own logs are left out if they have not changed since begin. What cannot be
// read is counted; an error says that nothing could.
func (o *Sources) Read(begin time.Time, each func(*Line)) (Unread, error) {
	list, wrong := o.open(begin)
	r := reading{each: each, progress: progress{tell: o.Progress}}
	r.Files = append([]Unreadable{}, wrong...)
	for _, s := range list {
		r.all += s.size
	}
	for i := range list {
		s := &list[i]
		err := r.log(s, o.Zone)
		if closeErr := s.from.Close(); err == nil && s.file == nil {
			err = closeErr
		}
		if err != nil {
			r.Files = append(r.Files, unread(s.name, causeOf(err)))
		}
		if err == nil || r.lines > 0 {
			r.Logs = append(r.Logs, s.name)
		}
	}
	if len(r.Logs) == 0 && len(r.Files) > 0 {
		f := r.Files[0]
		return Unread{}, fmt.Errorf("%s: %w", f.File, f.cause)
	}
	return r.Unread, nil
}

// progress says how much was read.
type progress struct {
	tell  func(read, all int64)
	read  int64
	all   int64
	lines int // of the log that is read
}

// Write counts what a log gave.
func (p *progress) Write(b []byte) (int, error) {
	p.read += int64(len(b))
	return len(b), nil
}

// log reads the lines of one log.
func (r *reading) log(s *source, zone *time.Location) error {
	p := &r.progress
	p.lines = 0
	parse := parser{years: years{zone: zone, changed: s.changed}}
	if s.file != nil {
		parse.years.start(s)
	}
	from, err := Unpack(io.TeeReader(s.from, p))
	if err != nil {
		return err
	}
	for in := newLines(from); ; p.lines++ {
		line, err := in.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errTooLong:
			r.Unread.TooLong++
			continue
		case err != nil:
			return err
		case len(line) == 0:
			continue
		}
		if p.tell != nil && p.lines%4096 == 0 {
			p.tell(p.read, p.all)
		}
		r.line(&parse, line)
	}
}

// ourName is in each line of ours.
var ourName = []byte("sendwrap")

// line reads one line.
func (r *reading) line(p *parser, line []byte) {
	if !bytes.Contains(line, ourName) && looksForeign(line) {
		return
	}
	switch p.parse(string(line)) {
	case ours:
		r.each(&p.line)
	case garbled:
		r.Unread.Garbled++
	case unreadable:
		r.Unread.Lines++
	}
}

// looksForeign reports whether a line that does not name us may be another program's. This decides
// only whether it is counted as unreadable.
func looksForeign(line []byte) bool {
	return line[0] == '<' || line[0] == '{' || line[0] == '@' || len(line) > 16 &&
		(line[6] == ' ' && line[9] == ':' || line[4] == '-' && line[10] == 'T')
}
