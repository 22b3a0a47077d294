package lookup

import "sendwrap/wrapper/resolve"

// Answer is what the list has answered about the address, for people. Whether it counts is in
// [Lookup.Health].
func (l *Lookup) Answer(i int) resolve.Answer { return l.lists[i].answer }

// Name is a name that an address says it has.
type Name struct {
	Name      string
	Confirmed bool // its own addresses contain that address
}

// Claimed are all names that the address says it has, in alphabetical order.
func (l *Lookup) Claimed() (all []Name) {
	for i, name := range l.names.claimed {
		all = append(all, Name{name, l.names.holds[i]})
	}
	return all
}
