package access

import (
	"net/netip"
	"strings"
)

// Found is what the map says of a client, for each tag. Its Value is [Nothing] if no entry decides.
type Found [Tags]Entry

// Look is what the map says of a client with these confirmed names, in the order in which they
// decide. They are in lower case, without a dot at their end.
func (m *Map) Look(client netip.Addr, names ...string) (found Found) {
	for _, name := range names {
		found.fill(m.lookName(name))
	}
	if len(names) == 0 {
		found = m.lookUnnamed(client)
	}
	found.fill(m.LookAddress(client))
	return found
}

// LookAddress is [Map.Look] without what the map says of names, or of clients without one.
func (m *Map) LookAddress(client netip.Addr) Found { return m.lookNetworks(client, false) }

func (m *Map) lookUnnamed(client netip.Addr) Found { return m.lookNetworks(client, true) }

// fill takes what is found elsewhere where nothing is found yet.
func (f *Found) fill(other Found) {
	for tag := range f {
		if f[tag].Value.Kind == Nothing {
			f[tag] = other[tag]
		}
	}
}

// set takes an entry. A Skip has ended its search with nothing found.
func (f *Found) set(tag Tag, e Entry) {
	if e.Value.Kind != Skip {
		f[tag] = e
	}
}

func (m *Map) lookName(name string) (found Found) {
	for tag := range Tags {
		found.set(tag, m.byName(tag, name))
	}
	return found
}

func (m *Map) lookNetworks(client netip.Addr, unresolved bool) (found Found) {
	client = client.Unmap().WithZone("")
	for tag := range Tags {
		found.set(tag, m.byNetwork(tag, client, unresolved))
	}
	return found
}

func (m *Map) byName(tag Tag, name string) Entry {
	for more := true; more; _, name, more = strings.Cut(name, ".") {
		if i, ok := m.names[tag][name]; ok {
			return m.entries[i]
		}
	}
	return Entry{}
}

func (m *Map) byNetwork(tag Tag, client netip.Addr, unresolved bool) Entry {
	for bits := client.BitLen(); bits >= 0; bits-- {
		if !m.lengths[tag][bits] {
			continue
		}
		network, _ := client.Prefix(bits)
		if i, ok := m.networks[tag][place{network, unresolved}]; ok {
			return m.entries[i]
		}
	}
	return Entry{}
}
