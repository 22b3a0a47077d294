package guard

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// hasty is a guard that waits for no MTA for long.
func hasty(t *testing.T) *post {
	p := build(t, rules)
	p.packetTime, p.idleTime = 200*time.Millisecond, 2*time.Second
	p.begin()
	return p
}

// gone fails unless the guard ends the session without another word, after that time.
func (m *mta) gone(least, most time.Duration) {
	m.t.Helper()
	began := time.Now()
	if got := m.answer(); got != "" {
		m.t.Errorf("the guard answers %q; want the session to end", got)
	}
	if d := time.Since(began); d < least || d > most {
		m.t.Errorf("the guard ends the session after %v; want %v to %v", d, least, most)
	}
}

const (
	atOnce = 0
	soon   = 2 * time.Second // on a machine that has much else to do
)

func length(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// What is no negotiation ends, at once if that can be seen at once.
func TestNoNegotiation(t *testing.T) {
	p := hasty(t)
	const packet = 150 * time.Millisecond // a little less than packetTime
	for _, c := range []struct {
		name  string
		sends string
		least time.Duration
	}{
		{"nothing", "", packet},
		{"half a length", "\x00\x00", packet},
		{"a length", "\x00\x00\x00\x0d", packet},
		{"half a packet", "\x00\x00\x00\x0dO\x00\x00", packet},
		{"length 0", string(length(0)), atOnce},
		{"length 1", string(frame("O")), atOnce},
		{"12 bytes", string(frame("O\x00\x00\x00\x06\x00\x00\x01\xff\x00\x1f\xff")), atOnce},
		{"61 bytes", string(frame(offered + strings.Repeat("x", 48))), atOnce},
		{"length 1<<31", string(length(1 << 31)), atOnce},
		{"length -1", string(length(1<<32 - 1)), atOnce},
		{"another packet first", string(frame("Cclient.example\x004\x9c\x40192.0.2.1\x00")), atOnce},
		{"HTTP", "GET / HTTP/1.0\r\n\r\n", atOnce},
		{"SMTP", "EHLO client.example\r\n", atOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := p.dial()
			m.t = t
			m.raw([]byte(c.sends))
			m.gone(c.least, soon)
		})
	}
	p.remarked(t, "is not the milter protocol", func() {
		m := p.dial()
		m.raw([]byte("EHLO client.example\r\n"))
		m.gone(atOnce, soon)
	})
}

// remarked fails unless what happens is told of within two seconds, though others may have been told of in the same one.
func (p *post) remarked(t *testing.T, text string, happens func()) {
	t.Helper()
	p.remarks.report()
	happens()
	p.book.await(t, "<20>", text)
}

// The agreement is what we want of what is offered, and never more. Whatever comes in one piece or in many.
func TestNegotiation(t *testing.T) {
	p := hasty(t)
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
			if got == "O\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00" {
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
	p := hasty(t)
	const packet, idle = 150 * time.Millisecond, 1900 * time.Millisecond
	const longest = 16384 // bytes
	for _, c := range []struct {
		name  string
		sends []byte
		least time.Duration
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
		{"go-milter's own limit", length(1 << 20), atOnce},
		{"a mebibyte that comes", frame("M" + strings.Repeat("x", 1<<20-1)), atOnce},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := p.mta()
			m.t = t
			m.want("c", m.connect("192.0.2.1", 1))
			m.raw(c.sends)
			most := idle // less than if only the time between two packets were bounded
			if c.least == idle {
				most *= 2
			}
			m.gone(c.least, most)
		})
	}
	p.remarked(t, fmt.Sprintf("packet of %d bytes", longest+1), func() {
		m := p.client("192.0.2.1")
		m.raw(length(longest + 1))
		m.gone(atOnce, soon)
	})
	m := p.client("192.0.2.1")
	m.want("c", m.ask("M"+strings.Repeat("x", longest-1))) // just as long as may be
}

// The time of a packet begins with its first byte, and bytes that dribble in do not lengthen it.
func TestSlowWriter(t *testing.T) {
	p := hasty(t)
	m := p.client("192.0.2.1")
	time.Sleep(300 * time.Millisecond) // more than a packet may take, less than there may be between two
	m.want("c", m.ask("M<a>\x00"))
	began := time.Now()
	for _, b := range frame("M" + strings.Repeat("x", 1000)) {
		if _, err := m.Write([]byte{b}); err != nil {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if d := time.Since(began); d < 150*time.Millisecond || d > 1500*time.Millisecond {
		t.Errorf("a packet that dribbles in ends after %v", d)
	}
	m.gone(atOnce, soon)
}

// Packets that come in halves, the second with the first of the next: each has all of its time.
func TestHalves(t *testing.T) {
	p := hasty(t)
	m := p.client("192.0.2.1")
	packet := frame("M<a>\x00")
	m.raw(packet[:5])
	for range 5 {
		time.Sleep(120 * time.Millisecond) // two of these are more than a packet's time
		m.raw(append(packet[5:len(packet):len(packet)], packet[:5]...))
		m.want("c", m.answer())
	}
}

// An MTA that does not read its answers is left.
func TestSlowReader(t *testing.T) {
	p := hasty(t)
	m := p.client("192.0.2.1")
	_ = m.SetWriteDeadline(time.Now().Add(10 * time.Second))
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
	eventually(t, "the session ends", func() bool { return len(p.watched()) == 0 })
}

// A session whose MTA leaves without a word, wherever it is, ends, and nobody logs that.
func TestLeaves(t *testing.T) {
	p := stand(t, rules)
	for _, sends := range []string{"", "\x00", string(frame(offered)), string(frame(offered)) + "\x00\x00", string(frame(offered)) + string(frame(connecting("192.0.2.1", 1)))} {
		m := p.dial()
		m.raw([]byte(sends))
		m.Close()
	}
	eventually(t, "they are gone", func() bool { return goroutines() == 0 })
	p.remarks.report()
	p.book.await(t, "EOF") // of who has not even negotiated, in one line or, if the watch came in between, in two
	time.Sleep(50 * time.Millisecond)
	before := len(p.book.lines())
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
	m.gone(atOnce, soon)
	eventually(t, "they are gone, too", func() bool { return goroutines() == 0 })
	p.remarks.report()
	time.Sleep(50 * time.Millisecond)
	if lines := p.book.lines(); before > 2 || len(lines) > before {
		t.Errorf("%d lines before; %q", before, lines)
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
	eventually(t, "it is gone", func() bool { return len(p.watched()) == 0 })
}
