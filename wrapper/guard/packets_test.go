package guard

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// waiting is a guard with these timeouts for the rest of a packet, and for the next one.
func waiting(t *testing.T, packet, idle time.Duration) *post {
	p := build(t, rules)
	p.packetTime, p.idleTime = packet, idle
	p.begin()
	return p
}

// A hasty guard ends a session within the test; a patient one only where it need not wait.
const hasty = 300 * time.Millisecond

func patient(t *testing.T) *post { return waiting(t, never, never) }

// hastyMTA is an MTA that has negotiated with a hasty guard, which may need several attempts.
func (p *post) hastyMTA() (m *mta) {
	p.t.Helper()
	lab.Eventually(p.t, "the guard has the time to negotiate", func() bool {
		m = p.dial()
		return m.ask(offered) != ""
	})
	return m
}

// gone fails unless the guard ends the session and sends nothing more.
func (m *mta) gone() {
	m.t.Helper()
	if got := m.answer(); got != "" {
		m.t.Errorf("the guard answers %q; want the session to end", got)
	}
}

func length(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// A connection without a negotiation is closed, at once if the first bytes show it.
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
		{"another packet first", string(frame("Cclient.example\x004\x9c\x40192.0.2.1\x00")),
			atOnce},
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

// remarked fails unless a remark about the event is logged, perhaps together with others of that
// second.
func (p *post) remarked(t *testing.T, text string, happens func()) {
	t.Helper()
	happens()
	p.book.await(t, "mail.warning", text)
}

// The guard asks for what it wants of what is offered, and never for more, however the bytes
// arrive.
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
			offer := frame("O" + string(length(6)) + string(length(c.actions)) +
				string(length(c.protocol)))
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
			actions := binary.BigEndian.Uint32([]byte(got[5:]))
			protocol := binary.BigEndian.Uint32([]byte(got[9:]))
			if actions&^c.actions != 0 || protocol != c.want {
				t.Errorf("%+v: the guard asks for actions %#x and protocol %#x", c, actions,
					protocol)
			}
			asks := strings.Contains(got, macroReason)
			if asks != c.macros || asks != (actions == 0x100) {
				t.Errorf("%+v: %q", c, got)
			}
		}
	}
	p.book.await(t, "does not report recipients that it has rejected")

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

// Wrong lengths, and packets that stop in the middle.
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

// A session ends when its MTA closes the connection, at any point, and nothing is logged.
func TestLeaves(t *testing.T) {
	p := build(t, rules) // whose watch would report, too
	go p.accept(p.listen())
	offer := string(frame(offered))
	for _, sends := range []string{
		"", "\x00", offer, offer + "\x00\x00",
		offer + string(frame(connecting("192.0.2.1", 1))),
	} {
		m := p.dial()
		m.raw([]byte(sends))
		m.Close()
	}
	lab.Eventually(t, "two have not even negotiated", func() bool {
		return len(p.book.lines("closed the connection ")) >= 2
	})
	lab.Eventually(t, "they are gone", func() bool { return goroutines() == 0 })
	p.remarks.report(time.Now().Add(time.Hour)) // all that were only counted
	logged := p.book.lines("closed the connection ")
	if lines := p.book.lines(); len(lines) != len(logged) || len(logged) == 0 {
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
	p.remarks.report(time.Now().Add(time.Hour))
	if lines := p.book.lines(); len(lines) != len(logged) {
		t.Errorf("%q", lines)
	}
}

// A guard is not counted as a room, which has other limits.
func TestIsNoRoom(t *testing.T) {
	if p := build(t, rules); !p.door.Ledger.IsOpen() || p.door.Ledger.HasRoom() {
		t.Error("the guard has signed as a room, or has no ledger")
	}
}

// TCP works as well, but the MTA's process is not known.
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
	if s := p.allSessions(); len(s) != 1 || s[0].mta != 0 {
		t.Errorf("%+v", s)
	}
	m.Close()
	lab.Eventually(t, "it is gone", func() bool { return len(p.allSessions()) == 0 })
}
