package main

// eachItsOwn is the name under which the table shows sendwrap beside its room
// when a process of it is started for each client.
const eachItsOwn = "a process each"

// room starts the instance as one process in which all clients wait.
func (l *lab) room(i *instance) (*daemon, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, err
	}
	d, err := l.daemon(addr, []string{i.program, "listen", "-f", i.conf, addr.String()})
	if err == nil {
		d.ours = true
	}
	return d, err
}

// in returns the peer as it is in a room, with a client that must see says.
func (i *instance) in(room *daemon, says string) peer {
	return peer{name: ours, is: i, at: room, says: says}
}

// called returns the peer under another name.
func (p peer) called(name string) peer {
	p.name = name
	return p
}

// limits are what the room's value may be beside those of others.
type limits []struct {
	peer  string
	times float64
}

// compared returns a row with all values, whose target, if there is one, is for
// the room's alone, and one more for each of the others that were measured with
// its ratio.
func (s series) compared(what, unit string, target float64, others limits) []row {
	first := s.row(what, unit)
	if target != 0 {
		first = first.within(target)
	}
	rows := []row{first}
	for _, o := range others {
		if _, ok := s[o.peer]; ok {
			rows = append(rows, row{What: what}.atMost(s, o.peer, o.times))
		}
	}
	return rows
}
