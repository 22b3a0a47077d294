package report

import (
	"net/netip"
	"time"

	"sendwrap/wrapper/loglines"
)

// Version is that of the JSON. Members may be added without a new one.
const Version = 1

// Report is what the logs come to. sendwrap(8) documents its JSON.
type Report struct {
	Version int       `json:"version"`
	From    time.Time `json:"from"`  // the first moment that is reported
	Until   time.Time `json:"until"` // the last one
	Logs    []string  `json:"logs"`  // that were read, the oldest first
	Lines   int       `json:"lines"` // ours, within that time

	Connections int           `json:"connections"`
	Served      int           `json:"served"`
	Refused     int           `json:"refused"`
	Left        int           `json:"left"`     // within the greet delay
	Observed    int           `json:"observed"` // of Served: refused, if it were enforced
	Verdicts    []VerdictFact `json:"verdicts"`

	Mistakes []Mistake `json:"mistakes"` // refused, and known: the likely ones first
	Mistaken int       `json:"mistaken"` // how many there are in all
	Blocks   Blocks    `json:"blocks"`
	Changes  *Changes  `json:"changes"` // null if the log has no whole day before
	Advice   []Advice  `json:"advice"`

	Hours      []Hour          `json:"hours"`
	HourLength int             `json:"hour_length"` // in hours: 1, or 24 if it is days
	Addresses  []Count         `json:"addresses"`   // of refused clients; of IPv6 the /64
	Networks   []Count         `json:"networks"`    // their /24 and /48
	Origins    []Count         `json:"origins"`     // their AS, with -asn
	Kinds      []Count         `json:"kinds"`
	Lists      []Count         `json:"lists"`
	Conns      []Count         `json:"conns"` // networks
	Rates      []Count         `json:"rates"` // networks
	BadRcpts   []Count         `json:"bad_recipients"`
	Waits      []Wait          `json:"waits"`
	Sessions   []Count         `json:"sessions"` // of ENDED lines, by length
	Delay      Delay           `json:"delay"`
	Trouble    Trouble         `json:"trouble"`
	Newer      []Count         `json:"newer"` // words and keys that this version does not know
	Unreadable loglines.Unread `json:"unreadable"`
	Forgotten  int             `json:"forgotten"` // too many to look at for Mistakes
	Zone       *time.Location  `json:"-"`
}

// VerdictFact says how often a verdict was reached.
type VerdictFact struct {
	Verdict  string `json:"verdict"`
	Count    int    `json:"count"`    // with Observed
	Observed int    `json:"observed"` // at the door, in mode observe: not enforced
	Wide     int    `json:"wide"`     // of Observed: by the limit of a wide network
	Guard    int    `json:"guard"`    // by the guard, enforced or not
	Noted    int    `json:"noted"`    // of Guard: observed
	Sent     int    `json:"sent"`     // of Observed and Noted: mail came later, as a guard has seen
}

// Count is one row of a list.
type Count struct {
	Key   string `json:"key"`
	Count int    `json:"count"`
	More  int    `json:"more"` // there may be up to that many more
	Last  string `json:"last"` // the last verdict
}

// Mistake is a client that was refused and served: perhaps it should not have been refused.
type Mistake struct {
	Network netip.Prefix `json:"network"`
	Refused int          `json:"refused"`
	Verdict string       `json:"verdict"` // of the last refusal
	Kind    string       `json:"kind"`    // of its early bytes; "" if it was not for these
	At      time.Time    `json:"at"`      // of the last refusal
	Before  int          `json:"before"`  // how often it was served before the last refusal
	After   int          `json:"after"`   // and after it
	Known   int          `json:"known"`   // how often of these it was known
}

// Blocks are the blocks that have begun.
type Blocks struct {
	New       int     `json:"new"`
	ByHand    int     `json:"by_hand"`   // of these, by `sendwrap block`
	Elsewhere int     `json:"elsewhere"` // of these, on other machines, as `sendwrap share` says
	Last      []Block `json:"last"`      // the last ones, the newest first
}

// Block is one of them.
type Block struct {
	Network string    `json:"network"`
	At      time.Time `json:"at"`
	Seconds int       `json:"seconds"`
	Reason  string    `json:"reason"`
	From    string    `json:"from,omitempty"` // machine where it began; "" = this one
}

// why is its reason, and where it began.
func (b *Block) why() string {
	if b.From == "" {
		return b.Reason
	}
	return b.Reason + " from=" + b.From
}

// Changes compares a day with the day before.
type Changes struct {
	From     time.Time `json:"from"`  // where the last day begins, a whole hour
	Until    time.Time `json:"until"` // and ends; the day before ends at From
	Verdicts []Change  `json:"verdicts"`
}

// Change is what a verdict did.
type Change struct {
	Verdict string `json:"verdict"`
	Last    int    `json:"last"`
	Before  int    `json:"before"`
}

// Advice is a line of sendwrap.conf that would mend something.
type Advice struct {
	Line string `json:"line"`
	Why  string `json:"why"`
}

// Hour is the verdicts of an hour or a day.
type Hour struct {
	Start  time.Time      `json:"start"`
	Counts map[string]int `json:"counts"`
}

// Wait is a client that waited long: for its greeting, and then for its turn.
type Wait struct {
	Client  string    `json:"client"`
	Seconds float64   `json:"seconds"`
	Turn    float64   `json:"turn"` // of these
	Verdict string    `json:"verdict"`
	At      time.Time `json:"at"`
}

// Trouble is what lines at level warning and err say, and sessions that ended badly.
type Trouble struct {
	Failed  int     `json:"failed"`   // clients refused for a fault of ours
	Ended   int     `json:"ended"`    // MTAs of a room that ended badly
	Idle    int     `json:"idle"`     // sessions ended because they were idle
	Silent  int     `json:"silent"`   // clients about which DNS said nothing in time
	Dropped int     `json:"dropped"`  // blocks that ended because there were too many
	OnBlock int     `json:"on_block"` // on_block failed
	Open    []Count `json:"open"`     // clients that met no limits for a fault of ours, by cause
	Words   int     `json:"words"`    // lines in words
	Most    []Count `json:"most"`     // these, without their numbers
}
