package wrapper

import (
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/lookup"
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

// In a crowd from which one client leaves for each that comes, not all are looked at each time.
func TestTurnsLeaveRoom(t *testing.T) {
	const crowd = 2000
	a, looks := &asker{unasked: make([]*Session, 0, crowd)}, 0
	for n := range 10 * crowd {
		if n >= crowd {
			a.unasked[n%crowd].heard = nil // it leaves
		}
		if len(a.unasked) == cap(a.unasked) {
			looks += len(a.unasked)
		}
		s := new(Session)
		s.heard = &heard{request: new(lookup.Request)}
		a.askLater(s)
	}
	if looks > 20*crowd || cap(a.unasked) > 4*crowd {
		t.Errorf("%d looks, and room for %d", looks, cap(a.unasked))
	}
}

// A client about which DNS has nothing to say takes no memory for that, whether it was asked or is
// remembered. What is said of another one stays its own.
func TestCleanClientsTakeNoMemory(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 2})
	d.makeRoomDoor()
	var all []*Session
	for _, from := range []string{"127.9.8.1", "127.9.8.2", asked, "127.9.8.3", "127.9.8.1"} {
		d.from = from
		s, _ := d.enter(t)
		s.Arrive()
		s.Ask()
		d.hearAll(t)
		all = append(all, s)
	}
	clean := all[0].heard
	for i, s := range all {
		if listed := i == 2; (s.heard != clean) != listed || listed != (s.facts().Score.Sum == 2) {
			t.Errorf("client %d: %+v", i, s.heard)
		}
		s.Conclude(decide.Quiet, s.delay)
		s.Account(0)
		if line := d.line(t); strings.Contains(line, "dns=none") {
			t.Errorf("client %d: %s", i, line)
		}
	}
}
