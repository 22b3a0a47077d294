package wrapper

import (
	"bytes"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

// An answer that comes at the very end of the delay counts if it was read before the decision. Else
// the client has passed, whatever is read then, and the answer is for the next client.
func TestAnswerAtTheEnd(t *testing.T) {
	for _, read := range []bool{true, false} {
		n := lab.NewNameserver(t)
		behave(t, n, map[string]bool{"bad": true})
		d := dnsDoor(t, "", n, endless+"remember 0s\n", map[string]int{"bad": 3})
		d.makeRoomDoor()
		d.mustRun(t, func(tx *ledger.Tx) { tx.PassListTest(d.Policy.Lists[0].Zone) })
		s, _ := d.enter(t)
		if !s.Arrive() {
			t.Fatal(s.Verdict)
		}
		s.Ask()
		d.awaitAnswer(t)
		want := decide.Pass
		if read {
			want = decide.DNSBL
			d.hearAll(t)
		}
		s.Conclude(decide.Quiet, s.delay)
		d.hearAll(t)
		if s.Verdict != want {
			t.Errorf("read: %v: %v; want %v", read, s.Verdict, want)
		}
		if next, _ := d.enter(t); next.Arrive() || next.Verdict != decide.DNSBL {
			t.Errorf("read: %v: the next: %v", read, next.Verdict)
		}
		if count := n.Asked(reversed + ".secret.bad.example"); count != 1 {
			t.Errorf("read: %v: asked %d times", read, count)
		}
	}
}

// awaitAnswer waits until an answer of DNS is there, and leaves it unread.
func (d *doorway) awaitAnswer(t *testing.T) {
	t.Helper()
	fd, _ := d.DNSDescriptor()
	has := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	lab.Eventually(t, "the answer is there", func() bool {
		got, err := unix.Poll(has, 1000)
		return err == nil && got == 1
	})
}

// A process with one client that finds both, the end of the delay and an answer, hears the answer
// first, as a room does.
func TestAnswerAndEnd(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, "", n, endless, map[string]int{"bad": 3})
	d.mustRun(t, func(tx *ledger.Tx) { tx.PassListTest(d.Policy.Lists[0].Zone) })
	s, _ := d.enter(t)
	if !s.Arrive() {
		t.Fatal(s.Verdict)
	}
	s.Ask()
	d.awaitAnswer(t)
	s.delay = time.Nanosecond
	g, waited, err := Wait(s.FD, s.delay, nil, s)
	if s.Conclude(g, waited); err != nil || s.Verdict != decide.DNSBL {
		t.Errorf("%v, %v", s.Verdict, err)
	}
}

// What another process has found out counts at the end of the delay, too, though it is not yet time
// to look there again.
func TestResultOfAnotherAtTheEnd(t *testing.T) {
	for _, inRoom := range []bool{false, true} {
		d := dnsDoor(t, "", lab.NewNameserver(t), endless, map[string]int{"bad": 3})
		if inRoom {
			d.makeRoomDoor()
		}
		d.anotherClaims(t)
		s, _ := d.enter(t)
		if !s.Arrive() {
			t.Fatal(s.Verdict)
		}
		d.keepListed(t)
		if s.delay = time.Nanosecond; inRoom {
			s.Ask()
			s.Settle()
			s.Conclude(decide.Quiet, s.delay)
		} else {
			s.Conclude(s.wait())
		}
		if s.Verdict != decide.DNSBL {
			t.Errorf("in a room: %v: %v; want DNSBL", inRoom, s.Verdict)
		}
	}
}

// Whatever is in the ledger's page of lists, a room goes on, and a list refuses nobody that it does
// not have. When the page makes sense again, the lists count.
func TestDamagedLists(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"bad": true})
	d := dnsDoor(t, "", n, endless+"remember 0s\n", map[string]int{"bad": 3})
	d.makeRoomDoor()
	file, err := os.OpenFile(d.Policy.Ledger.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := make([]byte, os.Getpagesize())
	at := listsPage(t, d, len(page))
	arrive := func(from string) *Session {
		d.from = from
		s, _ := d.enter(t)
		if s.Arrive() {
			s.Ask()
			d.hearAll(t)
			s.Conclude(decide.Quiet, s.delay)
		}
		return s
	}
	from := asked
	for i := range 300 {
		for j := range page {
			if page[j] = byte(rand.Uint32()); i%3 == 0 && rand.IntN(4) > 0 {
				page[j] = 0
			}
		}
		if _, err := file.WriteAt(page, at); err != nil {
			t.Fatal(err)
		}
		from = nextClient(from)
		s := arrive(from)
		if s.Verdict != decide.Pass {
			t.Fatalf("%d: %v", i, s.Verdict)
		}
		s.End()
	}
	clear(page)
	if _, err := file.WriteAt(page, at); err != nil {
		t.Fatal(err)
	}
	if s := arrive(asked); s.Verdict != decide.DNSBL {
		t.Errorf("in the end: %v", s.Verdict)
	}
}

// listsPage is where the ledger has what it knows of lists: the last page that changes with it.
func listsPage(t *testing.T, d *doorway, size int) (at int64) {
	t.Helper()
	read := func() []byte {
		image, err := os.ReadFile(d.Policy.Ledger.Path)
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	before := read()
	d.mustRun(t, func(tx *ledger.Tx) { tx.DoubtList("a.example") })
	after := read()
	for at = int64(len(before) - size); at > 0; at -= int64(size) {
		if !bytes.Equal(before[at:at+int64(size)], after[at:at+int64(size)]) {
			return at
		}
	}
	t.Fatal("no page has changed")
	return 0
}
