package report

import (
	"bytes"
	"errors"
	"io"
	"time"
)

// Options say what is reported.
type Options struct {
	Logs  []string // names of files, and "-" for Stdin; none: the machine's mail log
	Stdin io.Reader
	Since time.Time // zero: all that Logs have, or else 24 hours
	Now   time.Time
	Zone  *time.Location // of the times in logs, and in the report
	AS    *Origins       // nil: none

	// Progress is called from time to time with what was read, in bytes, and what there is; all is
	// 0 if nobody knows. It may be nil.
	Progress func(read, all int64)

	MailLog, Journalctl string // "": where they are everywhere
}

// day is what is reported without Since, and what Changes compares.
const day = 24 * time.Hour

// Read reads the logs. What cannot be read is in the report; an error says that nothing could.
func Read(o Options) (*Report, error) {
	r := &Report{Version: Version, From: o.Since, Zone: o.Zone}
	if r.From.IsZero() && len(o.Logs) == 0 {
		r.From = o.Now.Add(-day)
	}
	if !r.From.IsZero() {
		r.Until = o.Now
	}
	c := &counter{r: r, origins: o.AS}
	list, wrong := o.sources(r.From.Add(-2 * day))
	r.Unreadable.Files = append([]Unreadable{}, wrong...)
	p := progress{tell: o.Progress}
	for _, s := range list {
		p.all += s.size
	}
	readable := 0
	for i := range list {
		s := &list[i]
		err := c.read(s, o.Zone, &p)
		if closeErr := s.from.Close(); err == nil && s.file == nil {
			err = closeErr
		}
		if err != nil {
			r.Unreadable.Files = append(r.Unreadable.Files, Unreadable{s.name, cause(err)})
		}
		if err == nil || p.lines > 0 {
			readable++
		}
	}
	if readable == 0 && len(r.Unreadable.Files) > 0 {
		f := r.Unreadable.Files[0]
		return nil, errors.New(f.File + ": " + f.Why)
	}
	c.finish()
	return r, nil
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

// read counts the lines of one log.
func (c *counter) read(s *source, zone *time.Location, p *progress) error {
	p.lines = 0
	parse := parser{years: years{zone: zone, changed: s.changed}}
	if s.file != nil {
		parse.years.start(s)
	}
	from, err := unpack(io.TeeReader(s.from, p))
	if err != nil {
		return err
	}
	for in := newLines(from); ; p.lines++ {
		line, err := in.next()
		switch {
		case err == io.EOF:
			return nil
		case err == errTooLong:
			c.r.Unreadable.TooLong++
			continue
		case err != nil:
			return err
		case len(line) == 0:
			continue
		}
		if p.tell != nil && p.lines%4096 == 0 {
			p.tell(p.read, p.all)
		}
		c.line(&parse, line)
	}
}

// ourName is in each line of ours.
var ourName = []byte("sendwrap")

// line counts one line.
func (c *counter) line(p *parser, line []byte) {
	if !bytes.Contains(line, ourName) && looksForeign(line) {
		return
	}
	switch p.parse(string(line)) {
	case ours:
		c.add(&p.line)
	case garbled:
		c.r.Unreadable.Garbled++
	case unreadable:
		c.r.Unreadable.Lines++
	}
}

// looksForeign reports whether a line that does not name us may be another program's. This decides
// only whether it is counted as unreadable.
func looksForeign(line []byte) bool {
	return line[0] == '<' || line[0] == '{' || len(line) > 16 &&
		(line[6] == ' ' && line[9] == ':' || line[4] == '-' && line[10] == 'T')
}
