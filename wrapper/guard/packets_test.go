package guard

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/milter"
)

// waiting is a guard that waits for so long for the rest of a packet, and for the next.
func waiting(t *testing.T, packet, idle time.Duration) *post {
	p := build(t, rules)
	p.packetTime, p.idleTime = packet, idle
	p.begin()
	return p
}

// A guard that is hasty ends a session within the test, a patient one only for what it need not
// wait for.
const hasty = 300 * time.Millisecond

func patient(t *testing.T) *post { return waiting(t, never, never) }

// hastyMTA is one with which even a hasty guard has come to an agreement: that may need more than
// one try.
func (p *post) hastyMTA() (m *mta) {
	p.t.Helper()
	lab.Eventually(p.t, "the guard has the time to negotiate", func() bool {
		m = p.dial()
		return m.ask(offered) != ""
	})
	return m
}

// gone fails unless the guard ends the session without another word.
func (m *mta) gone() {
	m.t.Helper()
	if got := m.answer(); got != "" {
		m.t.Errorf("the guard answers %q; want the session to end", got)
	}
}

func length(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// What is no negotiation ends, at once if that can be seen at once.
func TestNoNegotiation(t *testing.T) {
	packet, atOnce := waiting(t, hasty, never), patient(t)
	for _, c := range []struct {
		name  string
		sends string
		by    *post
	}{
		{"nothing", "", packet},
		{"half a length", "\x00\x00", packet},
		{"a length", "\x00\x00\x00\x0d", packet},
		{"half a packet", "\x00\x00\x00\x0dO\x00\x00", packet},
		{"length 0", string(length(0)), atOnce},
		{"length 1", string(frame("O")), atOnce},
		{"12 bytes", string(frame("O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff")), atOnce},
		{"length 1<<31", string(length(1 << 31)), atOnce},
		{"length -1", string(length(1<<32 - 1)), atOnce},
		{"another packet first", string(frame("Cclient.example\x004\x9c\x40192.0.2.1\x00")), atOnce},
		{"HTTP", "GET / HTTP/1.0\r\n\r\n", atOnce},
		{"SMTP", "EHLO client.example\r\n", atOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			m := c.by.dial()
			m.t = t
			m.raw([]byte(c.sends))
			m.gone()
			if d := time.Since(began); c.by == packet && d < hasty {
				t.Errorf("the guard ends the session after %v; want %v", d, hasty)
			}
		})
	}
	atOnce.remarked(t, "is not the milter protocol", func() {
		m := atOnce.dial()
		m.raw([]byte("EHLO client.example\r\n"))
		m.gone()
	})
}

// remarked fails unless what happens is told of, though others may have been told of in the same
// second.
func (p *post) remarked(t *testing.T, text string, happens func()) {
	t.Helper()
	p.remarks.report(time.Now())
	happens()
	p.book.await(t, "mail.warning", text)
}

// The agreement is what we want of what is offered, and never more. Whatever comes in one piece or
// in many.
func TestNegotiation(t *testing.T) {
	p := patient(t)
	for _, c := range []struct {
		actions, protocol uint32
		macros            bool
		want              uint32
	}{
		{0x1ff, 0x1fffff, true, uint32(wanted)},
		{0x3f, 0x7f, false, uint32(wanted) & 0x7f}, // version 2
		{0, 0, false, 0},
		{0xffffffff, 0xffffffff, true, uint32(wanted)},
		{0x100, 0x800, true, 0x800},
	} {
		for _, piece := range []int{1, 3, 100} {
			m := p.dial()
			offer := frame("O" + string(length(6)) + string(length(c.actions)) + string(length(c.protocol)))
			for ; len(offer) > 0; offer = offer[min(piece, len(offer)):] {
				m.raw(offer[:min(piece, len(offer))])
			}
			got := m.answer()
			if got == "O\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00" {
				got += "\x00" // which is no end of a text here
			}
			if len(got) < 13 || got[0] != 'O' {
				t.Fatalf("%+v: %q", c, got)
			}
			actions, protocol := binary.BigEndian.Uint32([]byte(got[5:])), binary.BigEndian.Uint32([]byte(got[9:]))
			if actions&^c.actions != 0 || protocol != c.want {
				t.Errorf("%+v: the guard asks for actions %#x and protocol %#x", c, actions, protocol)
			}
			if is := strings.Contains(got, macroReason); is != c.macros || is != (actions == 0x100) {
				t.Errorf("%+v: %q", c, got)
			}
		}
	}
	p.book.await(t, "does not tell of recipients that it has rejected")

	// All of a session in one piece, the end of its last packet later.
	m := p.dial()
	all := append(frame(offered), frame(connecting("192.0.2.1", 1))...)
	all = append(all, frame("Hx\x00")...)
	all = append(all, frame("M<a>\x00")...)
	m.raw(all[:len(all)-2])
	m.want("O", m.answer())
	m.want("c", m.answer())
	m.raw(all[len(all)-2:])
	m.want("c", m.answer())
}

// Lengths that lie, and packets that stop in the middle.
func TestLyingLengths(t *testing.T) {
	packet, idle := waiting(t, hasty, never), waiting(t, never, hasty)
	atOnce := patient(t)
	const longest = 16384 // bytes
	for _, c := range []struct {
		name  string
		sends []byte
		by    *post
	}{
		{"nothing", nil, idle},
		{"half a length", length(8)[:2], packet},
		{"a length", length(8), packet},
		{"half a packet", append(length(8), "M<a"...), packet},
		{"all but a byte", frame("M<a>\x00")[:8], packet},
		{"length 0", length(0), atOnce},
		{"length 1<<31", length(1 << 31), atOnce},
		{"length -1", length(1<<32 - 1), atOnce},
		{"a byte too many", length(longest + 1), atOnce},
		{"a mebibyte", length(1 << 20), atOnce},
		{"a mebibyte that comes", frame("M" + strings.Repeat("x", 1<<20-1)), atOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			m := c.by.hastyMTA()
			m.t = t
			if c.by != idle {
				m.want("c", m.connect("192.0.2.1", 1))
				began = time.Now()
			}
			m.raw(c.sends)
			m.gone()
			if d := time.Since(began); c.by != atOnce && d < hasty {
				t.Errorf("the guard ends the session after %v; want %v", d, hasty)
			}
		})
	}
	atOnce.remarked(t, fmt.Sprintf("packet of %d bytes", longest+1), func() {
		m := atOnce.client("192.0.2.1")
		m.raw(length(longest + 1))
		m.gone()
	})
	m := atOnce.client("192.0.2.1")
	m.want("c", m.ask("M"+strings.Repeat("x", longest-1))) // just as long as may be
}

// The time of a packet begins with its first byte, and bytes that dribble in do not lengthen it. It
// proves nothing if one of them comes so late that even its own time would be over: then once more,
// with more time.
func TestSlowWriter(t *testing.T) {
	for most := hasty; ; most *= 2 {
		longest := dribble(t, most)
		if longest < most {
			return
		}
		t.Logf("there were %v between two bytes; a packet has %v", longest, most)
	}
}

// dribble is one try. It returns the longest time between two bytes.
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

// Packets that come in halves, the second with the first of the next: each has all of its time, of
// which a slow machine needs more.
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

// An MTA that does not read its answers is left.
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
	lab.Eventually(t, "the session ends", func() bool { return len(p.watched()) == 0 })
}

// A session whose MTA leaves without a word, wherever it is, ends, and nobody logs that.
func TestLeaves(t *testing.T) {
	p := build(t, rules) // whose watch would report, too
	go p.accept(p.listen())
	for _, sends := range []string{"", "\x00", string(frame(offered)), string(frame(offered)) + "\x00\x00", string(frame(offered)) + string(frame(connecting("192.0.2.1", 1)))} {
		m := p.dial()
		m.raw([]byte(sends))
		m.Close()
	}
	lab.Eventually(t, "two have not even negotiated", func() bool {
		p.remarks.mu.Lock()
		defer p.remarks.mu.Unlock()
		n := 0
		for _, of := range p.remarks.kinds {
			n += of.n
		}
		return n >= 2
	})
	lab.Eventually(t, "they are gone", func() bool { return goroutines() == 0 })
	p.remarks.report(time.Now())
	told := p.book.lines("closed the connection ")
	if lines := p.book.lines(); len(lines) != len(told) || len(told) == 0 {
		t.Errorf("%q", lines)
	}
	for n := range 20 { // the answer meets a closed socket, or lies in it unread
		m := p.client("192.0.2.1")
		m.send("M<a>\x00")
		if n%2 == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		m.Close()
	}
	m := p.client("192.0.2.1")
	m.send("Q")
	m.gone()
	lab.Eventually(t, "they are gone, too", func() bool { return goroutines() == 0 })
	p.remarks.report(time.Now())
	if lines := p.book.lines(); len(lines) != len(told) {
		t.Errorf("%q", lines)
	}
}

// A guard does not pass for a room, whose limits are others.
func TestIsNoRoom(t *testing.T) {
	if p := build(t, rules); !p.door.Ledger.IsOpen() || p.door.Ledger.HasRoom() {
		t.Error("the guard has signed as a room, or has no ledger")
	}
}

// Over TCP all is the same, but for the process, which cannot be known.
func TestTCP(t *testing.T) {
	p := build(t, rules)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go p.accept(l)
	m := dial(t, "tcp", l.Addr().String()).negotiate()
	m.want("c", m.connect("192.0.2.1", 1))
	m.want("c", m.mail())
	for range 2 {
		m.want("c", m.bad("x"))
	}
	m.want("y421 4.7.0", m.bad("x"))
	m.want("y421 4.7.0", m.good("x"))
	if s := p.watched(); len(s) != 1 || s[0].mta != 0 {
		t.Errorf("%+v", s)
	}
	m.Close()
	lab.Eventually(t, "it is gone", func() bool { return len(p.watched()) == 0 })
}
