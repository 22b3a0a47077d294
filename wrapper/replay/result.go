package replay

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/loglines"
)

// Version is that of the JSON. Members may be added without a new one.
const Version = 1

// Waits is the word for a client that was refused and would have had to wait: what it would have
// done is not in the log.
const Waits = "WAITS"

// Result is what other limits would have done. sendwrap(8) documents its JSON.
type Result struct {
	Version     int       `json:"version"`
	File        string    `json:"file"` // the configuration
	From        time.Time `json:"from"` // of the first and the last line
	Until       time.Time `json:"until"`
	Connections int       `json:"connections"`
	Same        int       `json:"same"` // have the verdict that they had

	Findings []string  `json:"findings"` // the same in sentences
	Verdicts []Verdict `json:"verdicts"`
	Changes  []Change  `json:"changes"` // the most frequent first
	Clients  []Client  `json:"clients"` // whose verdict changes: those that may be mistakes first
	More     int       `json:"more_clients"`

	Untold     Untold          `json:"untold"`
	Unreadable loglines.Unread `json:"unreadable"`
	Zone       *time.Location  `json:"-"`
	session    time.Duration   // that is assumed
}

// Verdict says how often a verdict was reached, and how often it would have been.
type Verdict struct {
	Verdict string `json:"verdict"`
	Then    int    `json:"then"`
	Now     int    `json:"now"`
}

// Change says how many connections would have had another verdict.
type Change struct {
	Then  string `json:"then"`
	Now   string `json:"now"`
	Count int    `json:"count"`
}

// Client is a client whose verdict changes.
type Client struct {
	Client  netip.Addr `json:"client"`
	Lost    bool       `json:"lost"`    // served then, refused now
	Known   bool       `json:"known"`   // at one of these connections
	Trusted bool       `json:"trusted"` // likewise
	Later   int        `json:"later"`   // how often it was served after the first of these
	Changes []Change   `json:"changes"`
	Lines   []string   `json:"lines"` // the first ones
	More    int        `json:"more"`  // lines
}

// Untold is what the log cannot tell.
type Untold struct {
	Waits     int      `json:"waits"`         // refused then, and would have had to wait now
	Longer    int      `json:"longer"`        // would have had to wait for longer than they did
	Ends      int      `json:"ends"`          // sessions whose end no line tells
	Before    int      `json:"before"`        // known or blocked by what was before the log
	Guard     int      `json:"guard"`         // verdicts of the guard, which are not replayed
	Failed    int      `json:"failed"`        // clients refused for a fault of ours, left out
	Back      int      `json:"back"`          // times that went back
	Seconds   bool     `json:"whole_seconds"` // all times are
	Silent    []string `json:"silent"`        // lists of the configuration that no line names
	Missing   []string `json:"missing"`       // lists in lines that the configuration does not have
	Forgotten int      `json:"forgotten"`     // changes of clients that were too many to remember
	Newer     int      `json:"newer"`         // lines with words or keys of a newer version
}
