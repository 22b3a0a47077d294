package access

import "net/netip"

// Tag is what a key is about. A key without a tag is about Connect.
type Tag uint8

const (
	Connect    Tag = iota // is the client let in
	GreetPause            // milliseconds of greet delay
	ClientRate            // arrivals in a minute
	ClientConn            // sessions at once
	Tags                  // how many there are
)

func (t Tag) String() string {
	return [...]string{"Connect", "GreetPause", "ClientRate", "ClientConn"}[t]
}

// Kind is what a value says.
type Kind uint8

const (
	Nothing Kind = iota
	OK           // let in, and lists of DNS not asked; also DISCARD and QUARANTINE, which are for sendmail
	Reject       // refused, with our own reply
	Text         // refused, with Value.Reply
	Number       // Value.N
	Skip         // its search has found nothing, and ends
)

// Value is what the map says for a key.
type Value struct {
	Kind  Kind
	N     int    // of Number; 0 is no delay, or no limit
	Reply string // of Text: "550 5.7.1 text", without the end of the line; 4xx or 5xx
}

// Entry is a line of the map with a key that a client can have.
type Entry struct {
	Tag     Tag
	Network netip.Prefix // of its clients; invalid if they have the Name

	// Unresolved is for the networks of keys in brackets: these hold clients without a confirmed
	// name alone, and are looked at where the name would be, before all other networks.
	Unresolved bool

	Name  string // in lower case; it holds itself and all names below
	Value Value
	Line  int    // of the file, from 1
	Key   string // as it is written
}

// Map is an access map.
type Map struct {
	Mistakes []Note // what is skipped
	Notes    []Note // what holds, or what sendmail skips too, but was hardly meant so

	entries []Entry
}

// Note is a remark on a line.
type Note struct {
	Line int    // 0 is the file as a whole
	Msg  string // what is wrong
	Hint string // what to write instead
}

// Read reads a map. Wrong lines are skipped, and noted.
func Read(text string) *Map { return &Map{} }

// Entries are the entries that can decide, no two with the same tag, network or name, and
// Unresolved. For each tag, those that hold a client decide in this order:
//
//   - those of names, the longest first; for a client without a confirmed name in their place those
//     that are Unresolved, the longest network first
//   - those of other networks, the longest first
//
// A Skip ends the search in its group with nothing found. ClientRate and ClientConn have entries of
// the second group only.
func (m *Map) Entries() []Entry { return m.entries }

// Found is what the map says of a client, for each tag. Its Value is [Nothing] if no entry decides.
type Found [Tags]Entry

// Look is what the map says of a client. name is its confirmed name, in lower case and without a
// dot at its end; "" is none.
func (m *Map) Look(client netip.Addr, name string) Found { return Found{} }
