package wrapper

import (
	"slices"
	"testing"

	"sendwrap/tests/lab"
)

// In a crowd no more is asked than may be at once, the newest clients get the first turns, and
// those that wait no more leave nothing behind.
func TestCrowdIsAskedInTurns(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": false})
	n.Hold("")
	d := dnsDoor(t, "", n, endless+"max_waiting 10000\n", map[string]int{"bad": 3})
	d.makeRoomDoor()
	const late = 40
	var all []*Session
	for range mostInquiries + late {
		d.from = nextClient(d.from)
		s, _ := d.enter(t)
		if !s.Arrive() {
			t.Fatal(s.Verdict)
		}
		s.Ask()
		all = append(all, s)
	}
	a := &d.asker
	wait := func() []*Session { return all[mostInquiries : mostInquiries+len(a.unasked)] }
	if len(a.inquiries) != mostInquiries || !slices.Equal(a.unasked, all[mostInquiries:]) {
		t.Fatalf("%d are asked about, %d take turns", len(a.inquiries), len(a.unasked))
	}
	n.Release()
	lab.Eventually(t, "nothing is asked", func() bool {
		d.HearDNS(func(*Session) {})
		if len(a.inquiries) > mostInquiries || !slices.Equal(a.unasked, wait()) {
			t.Fatalf("%d are asked about, and %d wait that are not the oldest", len(a.inquiries),
				len(a.unasked))
		}
		_, asked := d.UntilDNS()
		return !asked
	})
	if len(a.inquiries)+len(a.unasked) > 0 || a.unasked != nil {
		t.Errorf("%d and %d are left", len(a.inquiries), len(a.unasked))
	}
}
