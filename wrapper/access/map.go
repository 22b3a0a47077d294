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

var tagNames = [Tags]string{"Connect", "GreetPause", "ClientRate", "ClientConn"}

func (t Tag) String() string { return tagNames[t] }

// hasNames reports whether sendmail looks for a client's name.
func (t Tag) hasNames() bool { return t == Connect || t == GreetPause }

// Kind is what a value says.
type Kind uint8

const (
	Nothing Kind = iota
	OK           // let in, lists of DNS not asked; see Value.Also
	Reject       // refused, with our own reply
	Text         // refused, with Value.Reply
	Number       // Value.N
	Skip         // its search has found nothing, and ends
)

// Also is what sendmail does with the mail of a client that is let in.
type Also uint8

const (
	Accepts     Also = iota // OK
	Relays                  // RELAY
	Discards                // DISCARD
	Quarantines             // QUARANTINE:text
)

// Value is what the map says for a key.
type Value struct {
	Kind  Kind
	Also  Also   // of OK
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

// Map is an access map. It may be used by several goroutines.
type Map struct {
	File     string
	Mistakes []Note // what is for us, and wrong: it is skipped
	Notes    []Note // what sendmail never sees, or sees otherwise than it was meant

	entries  []Entry
	hasNames bool
	names    [Tags]map[string]int32 // where in entries
	networks [Tags]map[place]int32
	lengths  [Tags][129]bool // that a network of the tag has
}

// place is where an entry of a tag is looked for if not by a name.
type place struct {
	network    netip.Prefix
	unresolved bool
}

// find says where the entry is that a key of this tag would have.
func (m *Map) find(tag Tag, s subject) (i int32, ok bool) {
	if s.name != "" {
		i, ok = m.names[tag][s.name]
	} else {
		i, ok = m.networks[tag][s.place]
	}
	return i, ok
}

// add adds an entry where none is.
func (m *Map) add(e Entry) {
	i := int32(len(m.entries))
	m.entries = append(m.entries, e)
	m.hasNames = m.hasNames || e.Name != "" || e.Unresolved
	if e.Name != "" {
		m.names[e.Tag][e.Name] = i
	} else {
		m.networks[e.Tag][place{e.Network, e.Unresolved}] = i
		m.lengths[e.Tag][e.Network.Bits()] = true
	}
}

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
