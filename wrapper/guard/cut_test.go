package guard

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// arrival is a client's connection with both ends; a child process gets the MTA's end.
type arrival struct {
	client net.Conn
	server *os.File
	from   netip.AddrPort // as the MTA tells of the client
}

// arrive makes a connection over loopback to a listener at address.
func arrive(t testing.TB, network, address, to string) arrival {
	t.Helper()
	l, err := net.Listen(network, address)
	mustDo(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	mustDo(t, err)
	client, err := net.Dial("tcp", net.JoinHostPort(to, port))
	mustDo(t, err)
	server, err := l.Accept()
	mustDo(t, err)
	defer server.Close()
	f, err := server.(*net.TCPConn).File()
	mustDo(t, err)
	t.Cleanup(func() { client.Close(); f.Close() })
	at := client.LocalAddr().(*net.TCPAddr).AddrPort()
	return arrival{client, f, netip.AddrPortFrom(at.Addr().Unmap(), at.Port())}
}

// ended reports whether the client's connection is ended, and what it could read until then.
func (a arrival) ended() (text string, ok bool) {
	_ = a.client.SetReadDeadline(time.Now().Add(lab.Patience))
	var b [100]byte
	for {
		n, err := a.client.Read(b[:])
		text += string(b[:n])
		if err != nil {
			return text, !isTimeout(err)
		}
	}
}

// open reports whether text still reaches the client.
func (a arrival) open() bool {
	const word = "x"
	if _, err := a.server.WriteString(word); err != nil {
		return false
	}
	_ = a.client.SetReadDeadline(time.Now().Add(lab.Patience))
	var b [1]byte
	_, err := a.client.Read(b[:])
	return err == nil && string(b[:]) == word
}

// process starts an MTA's process: a child that has the guard's connection and these clients.
func (p *post) process(clients ...arrival) (m *mta, pid int) {
	p.t.Helper()
	ours, theirs := socketPair(p.t)
	cmd := ourselves("relay", p.socket)
	cmd.Stdin, cmd.Stdout = theirs, theirs
	for _, c := range clients {
		cmd.ExtraFiles = append(cmd.ExtraFiles, c.server)
	}
	child(p.t, cmd)
	return &mta{ours, p.t}, cmd.Process.Pid
}

// If the MTA goes on after the 421, the client's connection is shut down, and no other one of its
// process.
func TestCut(t *testing.T) {
	for _, c := range []struct{ name, network, listen, to string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "tcp6", "[::1]:0", "::1"},
		{"IPv4-mapped", "tcp", "[::]:0", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stand(t, rules+"block off\n")
			before := arrive(t, c.network, c.listen, c.to)
			ours := arrive(t, c.network, c.listen, c.to)
			after := arrive(t, c.network, c.listen, c.to)
			m, pid := p.process(before, ours, after)
			m.negotiate().connect(ours.from.Addr().String(), ours.from.Port())
			m.play("mail bad bad", "c c c")
			if s := p.allSessions(); len(s) != 1 || s[0].mta != pid || s[0].client != ours.from {
				t.Fatalf("the session is %+v; want process %d, client %v", s, pid, ours.from)
			}
			_, err := ours.server.WriteString("421 4.7.0 too many\r\n")
			mustDo(t, err)
			began := time.Now()
			m.play("bad", "421")
			if text, ok := ours.ended(); !ok || text != "421 4.7.0 too many\r\n" {
				t.Errorf("the client reads %q, ended %v", text, ok)
			}
			if d := time.Since(began); d < answerTime {
				t.Errorf("the MTA had %v", d)
			}
			lab.Eventually(t, "that is all", func() bool {
				return inside("(*session).disconnect") == 0
			})
			for _, other := range []arrival{before, after} {
				if !other.open() {
					t.Error("another client is cut off")
				}
			}
			if _, err := ours.server.Write([]byte("x")); err == nil {
				t.Error("the MTA can write to its client still")
			}
			m.play("good mail", "421 421")
		})
	}
}

// toCut is a session that is to be disconnected, with its process and a second client of that
// process.
type toCut struct {
	*post
	*mta
	session   *session
	a, second arrival
}

func cutting(t *testing.T, conf string) *toCut {
	t.Helper()
	c := &toCut{post: stand(t, rules+conf)}
	c.a = arrive(t, "tcp4", "127.0.0.1:0", "127.0.0.1")
	c.second = arrive(t, "tcp4", "127.0.0.1:0", "127.0.0.1")
	c.mta, _ = c.process(c.a, c.second)
	c.negotiate().connect(c.a.from.Addr().String(), c.a.from.Port())
	c.play("mail", "c")
	c.session = c.post.session("127.0.0.1")
	return c
}

// another is a session of another client of the same process, which the guard does not know.
func (c *toCut) another(client netip.AddrPort) *session {
	return &session{guard: c.guard, mta: c.session.mta, socket: -1, client: client,
		config: c.session.config}
}

// nobody is a client that the process does not have.
func (c *toCut) nobody() netip.AddrPort {
	return netip.AddrPortFrom(c.a.from.Addr(), c.a.from.Port()^1)
}

// outlasts reports whether the client is still connected when another client of the process has
// been disconnected, which happens after d.
func (c *toCut) outlasts(t *testing.T, d time.Duration) bool {
	t.Helper()
	c.another(c.second.from).disconnectAfter(d)
	if _, ok := c.second.ended(); !ok {
		t.Error("nobody is cut off: the test proves nothing")
	}
	return c.a.open()
}

// The sessions of a blocked network are disconnected after the grace and not before, even if they
// send nothing more. The delay beyond that does not grow with the grace: if a machine is later than
// one grace, the test tries a longer one.
func TestCutWhenBlocked(t *testing.T) {
	const longest = 32 * time.Second // the configuration takes a minute at most
	if late := cutLate(t, 0); late < 0 {
		t.Errorf("without a grace cut off %v too early", -late)
	}
	for grace := 2 * time.Second; ; grace *= 2 {
		late := cutLate(t, grace)
		switch {
		case late < 0:
			t.Fatalf("cut off %v before the end of a grace of %v", -late, grace)
		case late <= grace:
			return
		case grace == longest:
			t.Fatalf("cut off %v after a grace of %v", late, grace)
		}
		t.Logf("cut off %v after a grace of %v", late, grace)
	}
}

// cutLate is how long after the grace a client is disconnected.
func cutLate(t *testing.T, grace time.Duration) time.Duration {
	t.Helper()
	c := cutting(t, fmt.Sprintf("block strikes=3 grace=%v\n", grace))
	began := time.Now()
	c.block("127.0.0.0/24", time.Hour)
	if _, ok := c.a.ended(); !ok {
		t.Fatal("the client is not cut off")
	}
	return time.Since(began) - grace
}

// A client that is not to be disconnected stays.
func TestNotCut(t *testing.T) {
	for _, tt := range []struct {
		name, conf string
		before     string // what the MTA says before the block begins, all answered with its own
	}{
		{"kill=off", "block strikes=3 grace=0s kill=off\n", "good"},
		{"observed", "block strikes=3 grace=0s\nmode observe\n", "good bad bad bad bad"},
		{"authenticated", "block strikes=3 grace=0s\n", "rset auth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := cutting(t, tt.conf)
			answered := strings.Fields(strings.ReplaceAll(tt.before, "rset", ""))
			c.play(tt.before, strings.Repeat("c ", len(answered)))
			c.block("127.0.0.0/24", time.Hour)
			lab.Eventually(t, "it is blocked", c.session.blocked.Load)
			if !c.outlasts(t, 2*killTime) {
				t.Error("the client is cut off")
			}
		})
	}
}

// A client that comes while a block runs reads its 421 first, even if findNewBlocks sees the block
// before connect has its answer.
func TestNotCutUnanswered(t *testing.T) {
	c := cutting(t, "block strikes=3 grace=0s\n")
	c.session.blocked.Store(true) // so that findNewBlocks leaves it alone
	c.block("127.0.0.0/24", time.Hour)
	c.another(c.a.from).markBlocked(true)
	if !c.outlasts(t, 2*killTime) {
		t.Error("the client is cut off")
	}
	answered := c.another(c.a.from)
	answered.answered.Store(true)
	answered.markBlocked(true)
	if _, ok := c.a.ended(); !ok {
		t.Error("the client is not cut off after its connect was answered")
	}
}

// The process may be another one by then, or none.
func TestCutGone(t *testing.T) {
	c := cutting(t, "block off\n")
	c.socketMu.Lock() // until the session has left, whose process stays
	go c.session.disconnect()
	lab.Eventually(t, "it is to be cut off", func() bool {
		return inside("(*session).disconnect") == 1
	})
	_ = c.session.wire.Close()
	lab.Eventually(t, "it has left", c.session.closed.Load)
	c.socketMu.Unlock()
	if !c.outlasts(t, 0) {
		t.Error("the client is cut off when its session has left")
	}

	c = cutting(t, "block off\n")
	s, a := c.session, c.a
	s.closed.Store(true) // the MTA has closed its end, and its pid may be another process's
	s.disconnect()
	if !a.open() {
		t.Error("the client of a session that has left is cut off")
	}
	s.closed.Store(false)

	for _, mta := range []int{0, 1<<22 - 1} { // no process has the last of all pids
		without := c.another(a.from)
		without.mta = mta
		without.disconnect()
	}
	c.another(c.nobody()).disconnect()
	if !a.open() {
		t.Error("the client of another is cut off")
	}
	s.disconnect()
	if _, ok := a.ended(); !ok {
		t.Error("the client is not cut off")
	}
}
