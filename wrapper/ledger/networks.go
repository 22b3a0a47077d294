package ledger

// Networks say what the networks are that the ledger remembers.
type Networks struct {
	Known   int // waited not long ago, or are trusted
	Trusted int
	Blocked int
}

// CountNetworks counts the networks that are remembered. It keeps no process waiting.
func (l *Ledger) CountNetworks(now Moment) (n Networks, err error) {
	r, err := l.newReader(now)
	if err != nil {
		return n, err
	}
	err = r.records(func(_ int, c *client) {
		if c.blockLeft(r.now) > 0 {
			n.Blocked++
		}
		if c.known(r.now) {
			n.Known++
		}
		if c.trusted(r.now) {
			n.Trusted++
		}
	})
	return n, err
}
