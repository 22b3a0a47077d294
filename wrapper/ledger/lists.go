package ledger

import "time"

// MaxLists is how many lists of DNS the ledger knows at once. Of further ones it keeps nothing.
const MaxLists = 32

// List is how a list of DNS behaves. The ledger knows it by a hash of its zone alone, which may be
// secret.
type List struct {
	Asked, Listed, Failed uint64 // about how many addresses, since the file was made

	Tested bool          // it has passed its last test; false as long as none has ended
	Aside  time.Duration // for which it is still set aside; 0 = it is not
	Why    string        // it was set aside: one word, as a reason

	// Of late: about how many addresses the list has answered since it last had answered Recent
	// of a window, and how many it has listed.
	Recent, RecentListed int
}

// List returns how the list of that zone behaves.
func (t *Tx) List(zone string) List { return List{} }

// ClaimListTest reports whether it is up to the caller to test the list now: no test has ended in
// the time given, and nobody else has claimed one within a minute.
func (t *Tx) ClaimListTest(zone string, every time.Duration) (claimed bool) { return true }

// PassListTest notes that the list behaves, and is no longer set aside.
func (t *Tx) PassListTest(zone string) {}

// SetListAside notes that the list is not to be asked for that time, and why.
func (t *Tx) SetListAside(zone, why string, d time.Duration) {}

// ListAnswer is what came of asking a list about one address.
type ListAnswer struct{ Listed, Failed bool }

// CountList counts an answer. It returns how often the list has failed without an answer in
// between, and, each time a window of the last addresses is full, how many of these it has listed;
// else -1.
func (t *Tx) CountList(zone string, a ListAnswer, window int) (failures, listedOfWindow int) {
	return 0, -1
}
