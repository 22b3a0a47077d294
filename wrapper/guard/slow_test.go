package guard

import (
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/milter"
)

// The time of a packet begins with its first byte, and bytes that dribble in do not extend it. If
// one of them comes so late that its own time would be over, that proves nothing: then the test
// tries again with more time.
func TestSlowWriter(t *testing.T) {
	for most := hasty; ; most *= 2 {
		longest := dribble(t, most)
		if longest < most {
			return
		}
		t.Logf("there were %v between two bytes; a packet has %v", longest, most)
	}
}

// dribble is one attempt. It returns the longest time between two bytes.
func dribble(t *testing.T, most time.Duration) (longest time.Duration) {
	t.Helper()
	p := waiting(t, most, never)
	m := p.hastyMTA()
	m.want("c", m.connect("192.0.2.1", 1))
	time.Sleep(most * 3 / 2) // more than a packet may take, less than there may be between two
	m.want("c", m.ask("M<a>\x00"))
	began := time.Now()
	packet := frame("M" + strings.Repeat("x", milter.MaxPacket-1)) // takes more than a minute
	_ = m.SetWriteDeadline(time.Time{})
	for last := began; len(packet) > 0; packet = packet[1:] {
		if _, err := m.Write(packet[:1]); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
		longest, last = max(longest, time.Since(last)), time.Now()
	}
	if d := time.Since(began); d < most || len(packet) == 0 {
		t.Errorf("a packet that dribbles in ends after %v, with %d bytes to come", d, len(packet))
	}
	m.gone()
	return longest
}

// Packets that come in halves, the second half with the first of the next: each has its full time,
// of which a slow machine needs more.
func TestHalves(t *testing.T) {
	for most := 200 * time.Millisecond; !halves(t, most); most *= 2 {
		if t.Logf("a packet has less than its %v", most); most > lab.Patience/4 {
			t.Fatal("a packet does not have all of its time")
		}
	}
}

func halves(t *testing.T, most time.Duration) bool {
	t.Helper()
	p := waiting(t, most, never)
	m := p.hastyMTA()
	m.want("c", m.connect("192.0.2.1", 1))
	packet := frame("M<a>\x00")
	m.raw(packet[:5])
	for range 5 {
		time.Sleep(most * 6 / 10) // two of these are more than a packet's time
		m.raw(append(packet[5:len(packet):len(packet)], packet[:5]...))
		if m.answer() != "c" {
			return false
		}
	}
	return true
}

// A session ends if its MTA does not read the answers.
func TestSlowReader(t *testing.T) {
	p := waiting(t, hasty, never)
	m := p.hastyMTA()
	m.want("c", m.connect("192.0.2.1", 1))
	_ = m.SetWriteDeadline(time.Now().Add(lab.Patience))
	many := []byte(strings.Repeat(string(frame("M<a>\x00")), 1000))
	for n := 0; ; n++ {
		if _, err := m.Write(many); err != nil {
			if isTimeout(err) {
				t.Error("the guard holds on to an MTA that does not read")
			}
			break
		}
		if n > 10000 {
			t.Fatal("ten million answers are nowhere")
		}
	}
	lab.Eventually(t, "the session ends", func() bool { return len(p.allSessions()) == 0 })
}
