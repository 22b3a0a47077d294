package ledger

// SessionsFor is how many sessions, waiting and in session, a ledger for so many clients has room
// for.
func SessionsFor(clients int) int { return int(geometryFor(clients).slots) }

// ClientsFor is a number of clients whose ledger has room for so many sessions, and hardly more.
func ClientsFor(sessions int) int {
	if sessions <= minSlots {
		return MinClients
	}
	return 2 * sessions
}
