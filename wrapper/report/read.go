package report

import (
	"time"

	"sendwrap/wrapper/loglines"
)

// Options say what is reported.
type Options struct {
	loglines.Sources           // the report has their Zone, too
	Since            time.Time // zero: all that Logs have, or else 24 hours
	AS               *Origins  // nil: none
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
	unread, err := o.Sources.Read(r.From.Add(-2*day), c.add)
	if err != nil {
		return nil, err
	}
	unread.Garbled += r.Unreadable.Garbled
	r.Unreadable, r.Logs = unread, unread.Logs
	c.finish()
	return r, nil
}
