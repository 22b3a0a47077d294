package share

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sendwrap/wrapper/ledger"
)

// Event is what a machine says about a network.
type Event struct {
	Kind    ledger.OutboxKind
	Network netip.Prefix
	At      int64 // the engine's time, ms since 1970
	Till    int64 // likewise: of a block, and of a known client
	Origin  string
	Number  uint64 // of the machine's outbox
	Bad     int    // recipients
	Good    int
	Reason  string // one word, or ""
}

// The form of an event: words in this order, separated by one blank.
//
//	1 block 192.0.2.0/24 AT TILL ORIGIN NUMBER BAD GOOD REASON
//
// REASON is "-" if there is none. The first word is the version.
const (
	eventVersion = "1"
	eventWords   = 10
	maxEvent     = 256 // bytes
)

// Bounds of what is believed.
const (
	// MaxName is the longest name of a machine, in bytes.
	MaxName = ledger.MaxOrigin
	// EndKept is for how long the end of a block is kept: no block runs for longer.
	EndKept = ledger.MaxBlock

	minV4, minV6 = 8, 16     // prefix lengths
	maxAhead     = time.Hour // by which an event may be of the future, after a failover
	maxAge       = ledger.MaxBlock
)

var kinds = [...]string{ledger.OutboxBlock: "block", ledger.OutboxUnblock: "unblock",
	ledger.OutboxKnown: "known", ledger.OutboxRcpts: "rcpts"}

// Append appends the event's form.
func (e *Event) Append(to []byte) []byte {
	to = append(to, eventVersion+" "...)
	to = append(append(to, kinds[e.Kind]...), ' ')
	to = append(e.Network.AppendTo(to), ' ')
	to = append(strconv.AppendInt(to, e.At, 10), ' ')
	to = append(strconv.AppendInt(to, e.Till, 10), ' ')
	to = append(append(to, e.Origin...), ' ')
	to = append(strconv.AppendUint(to, e.Number, 10), ' ')
	to = append(strconv.AppendInt(to, int64(e.Bad), 10), ' ')
	to = append(strconv.AppendInt(to, int64(e.Good), 10), ' ')
	if e.Reason == "" {
		return append(to, '-')
	}
	return append(to, e.Reason...)
}

// Why an event is refused.
var (
	errForm    = errors.New("is no event of this version")
	errOrigin  = errors.New("has no name of a machine")
	errNetwork = errors.New("has a network that none may name")
	errTime    = errors.New("has a time that cannot be")
)

// Parse reads an event that came from elsewhere, at that time of the engine. It accepts only what
// [Event.Append] writes and what can be true.
func Parse(text string, now int64) (e Event, err error) {
	if len(text) > maxEvent {
		return e, errForm
	}
	words := strings.Split(text, " ")
	if len(words) != eventWords || words[0] != eventVersion {
		return e, errForm
	}
	for kind, name := range kinds {
		if name == words[1] && name != "" {
			e.Kind = ledger.OutboxKind(kind)
		}
	}
	if e.Network, err = netip.ParsePrefix(words[2]); err != nil || e.Kind == 0 {
		return e, errForm
	}
	numbers := [...]*int64{3: &e.At, 4: &e.Till}
	for i, to := range numbers {
		if to == nil {
			continue
		}
		if *to, err = strconv.ParseInt(words[i], 10, 64); err != nil {
			return e, errForm
		}
	}
	if e.Number, err = strconv.ParseUint(words[6], 10, 64); err != nil {
		return e, errForm
	}
	for i, to := range [...]*int{&e.Bad, &e.Good} {
		n, err := strconv.ParseUint(words[7+i], 10, 8)
		if err != nil {
			return e, errForm
		}
		*to = int(n)
	}
	// Copies: an event may be kept for a month, and the text is a part of a packet of up to 64 kB.
	e.Origin, e.Reason = strings.Clone(words[5]), strings.Clone(words[9])
	if e.Reason == "-" {
		e.Reason = ""
	}
	if string(e.Append(make([]byte, 0, maxEvent))) != text { // a number that begins with 0
		return e, errForm
	}
	return e, e.check(now)
}

// check says what cannot be true of an event.
func (e *Event) check(now int64) error {
	least := minV4
	if e.Network.Addr().Is6() {
		least = minV6
	}
	long := ledger.MaxBlock.Milliseconds()
	switch {
	case !IsName(e.Origin):
		return errOrigin
	case e.Reason != ledger.ReasonWord(e.Reason):
		return errForm
	case e.Network != e.Network.Masked(), e.Network.Bits() < least,
		e.Network.Addr().Is4In6(), e.Network.Addr().Zone() != "":
		return errNetwork
	case e.At <= 0, e.At > now+maxAhead.Milliseconds(), now-e.At > maxAge.Milliseconds():
		return errTime
	}
	switch e.Kind {
	case ledger.OutboxBlock: // it may end before its time, which Own has set after a later word's
		if e.Till <= 0 || e.Till-e.At > long {
			return errTime
		}
	case ledger.OutboxKnown:
		if e.Till <= e.At || e.Till-e.At > long {
			return errTime
		}
	default:
		if e.Till != 0 {
			return errTime
		}
	}
	return nil
}

// IsName says whether a machine may have that name: letters, digits, dots, hyphens and underscores.
func IsName(name string) bool {
	for _, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '.' || c == '-' || c == '_') {
			return false
		}
	}
	return name != "" && len(name) <= MaxName
}

// newer says whether the event is a later word than o.
func (e *Event) newer(o *Event) bool {
	switch {
	case e.At != o.At:
		return e.At > o.At
	case e.Origin != o.Origin:
		return e.Origin > o.Origin
	}
	return e.Number > o.Number
}
