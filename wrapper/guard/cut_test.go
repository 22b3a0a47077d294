package guard

import (
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// arrival is a client's connection, both of whose ends we have: the MTA's is for a child.
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

// ended says whether the client's connection has been ended, and what it could read until then.
func (a arrival) ended(within time.Duration) (text string, is bool) {
	_ = a.client.SetReadDeadline(time.Now().Add(within))
	var b [100]byte
	for {
		n, err := a.client.Read(b[:])
		text += string(b[:n])
		if err != nil {
			return text, !isTimeout(err)
		}
	}
}

// process is an MTA's: a child of its own that has the guard's connection and these clients.
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

// The MTA goes on after the 421: then the client's connection is shut, and no other of its process.
func TestCut(t *testing.T) {
	for _, c := range []struct{ name, network, listen, to string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "tcp6", "[::1]:0", "::1"},
		{"IPv4-mapped", "tcp", "[::]:0", "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := stand(t, rules+"block off\n")
			before, ours, after := arrive(t, c.network, c.listen, c.to), arrive(t, c.network, c.listen, c.to), arrive(t, c.network, c.listen, c.to)
			m, pid := p.process(before, ours, after)
			m.negotiate().connect(ours.from.Addr().String(), ours.from.Port())
			m.play("mail bad bad", "c c c")
			if s := p.watched(); len(s) != 1 || s[0].mta != pid || s[0].client != ours.from {
				t.Fatalf("the session is %+v; want process %d, client %v", s, pid, ours.from)
			}
			_, err := ours.server.WriteString("421 4.7.0 too many\r\n")
			mustDo(t, err)
			began := time.Now()
			m.play("bad", "421")
			if text, is := ours.ended(soon); !is || text != "421 4.7.0 too many\r\n" {
				t.Errorf("the client reads %q, ended %v", text, is)
			}
			if d := time.Since(began); d < 90*time.Millisecond {
				t.Errorf("the MTA had %v", d)
			}
			for _, other := range []arrival{before, after} {
				if _, is := other.ended(100 * time.Millisecond); is {
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

// cutting is a session with its process as it is when it is to be cut.
func cutting(t *testing.T, conf string) (p *post, m *mta, a arrival) {
	t.Helper()
	p = stand(t, rules+conf)
	a = arrive(t, "tcp4", "127.0.0.1:0", "127.0.0.1")
	m, _ = p.process(a)
	m.negotiate().connect(a.from.Addr().String(), a.from.Port())
	m.play("mail", "c")
	return p, m, a
}

// Of a network that is blocked the sessions end, after the grace and no sooner; so too if they say nothing more.
func TestCutWhenBlocked(t *testing.T) {
	p, _, a := cutting(t, "block strikes=3 grace=1s\n")
	began := time.Now()
	p.block("127.0.0.0/24", time.Hour)
	if _, is := a.ended(3 * time.Second); !is {
		t.Fatal("the client is not cut off")
	}
	if d := time.Since(began); d < time.Second || d > 2*time.Second {
		t.Errorf("after %v", d)
	}
}

// Who is not to be cut off is not.
func TestNotCut(t *testing.T) {
	for _, c := range []struct {
		name, conf string
		before     string // what the MTA says before the block begins, all answered with its own
	}{
		{"kill=off", "block strikes=3 grace=0s kill=off\n", "good"},
		{"observed", "block strikes=3 grace=0s\nmode observe\n", "good bad bad bad bad"},
		{"authenticated", "block strikes=3 grace=0s\n", "rset auth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, m, a := cutting(t, c.conf)
			m.play(c.before, strings.Repeat("c ", len(strings.Fields(strings.ReplaceAll(c.before, "rset", "")))))
			p.block("127.0.0.0/24", time.Hour)
			eventually(t, "it is blocked", func() bool { return p.session("127.0.0.1").blocked.Load() })
			if _, is := a.ended(400 * time.Millisecond); is {
				t.Error("the client is cut off")
			}
		})
	}
}

// The process may be another one by now, or none.
func TestCutGone(t *testing.T) {
	_, m, a := cutting(t, "block off\n")
	m.play("bad bad", "c c")
	m.send(macrosOf('R', "{rcpt_mailer}", "error", "{rcpt_host}", "5.1.1"))
	m.want("y421", m.ask("R<x>\x00"))
	m.Close() // the session has left before it is cut off
	if _, is := a.ended(3 * answerTime); is {
		// The relay ends with its client's sockets, and that is all the client may see of it; our copy is open still.
		t.Error("the client is cut off")
	}

	p, _, a := cutting(t, "block off\n")
	s := p.session("127.0.0.1")
	s.gone.Store(true) // as it is when the MTA has closed its end: what has this pid now may be anybody
	s.cut()
	if _, is := a.ended(100 * time.Millisecond); is {
		t.Error("the client of a session that has left is cut off")
	}
	s.gone.Store(false)

	nobody := &session{guard: p.guard, mta: 1<<22 - 1, client: a.from, config: s.config} // no process has the last of all pids
	nobody.cut()
	without := &session{guard: p.guard, client: a.from, config: s.config}
	without.cut()
	other := &session{guard: p.guard, mta: s.mta, client: netip.AddrPortFrom(a.from.Addr(), a.from.Port()^1), config: s.config}
	other.cut()
	if _, is := a.ended(100 * time.Millisecond); is {
		t.Error("the client of another is cut off")
	}
	s.cut()
	if _, is := a.ended(soon); !is {
		t.Error("the client is not cut off")
	}
}

// A thousand sessions to be cut off at once do not use up the descriptors.
func TestCutMany(t *testing.T) {
	p, _, a := cutting(t, "block off\n")
	s := p.session("127.0.0.1")
	before := descriptors(t)
	done := make(chan struct{}, 1001)
	p.cutting.Lock()
	for range 1000 {
		other := &session{guard: p.guard, mta: s.mta, client: netip.AddrPortFrom(a.from.Addr(), a.from.Port()^1), config: s.config}
		go func() { other.cut(); done <- struct{}{} }()
	}
	time.Sleep(100 * time.Millisecond)
	select {
	case <-done:
		t.Error("one does not wait until another has been cut off")
		done <- struct{}{}
	default:
	}
	if n := descriptors(t) - before; n > 0 {
		t.Errorf("%d descriptors at once", n)
	}
	p.cutting.Unlock()
	for range 1000 {
		<-done
	}
}

// Addresses of other kinds are no client's.
func TestAddrPort(t *testing.T) {
	for _, sa := range []unix.Sockaddr{nil, &unix.SockaddrUnix{Name: "/x"}, &unix.SockaddrNetlink{}} {
		if got := addrPort(sa); got.IsValid() {
			t.Errorf("%T: %v", sa, got)
		}
	}
	if got := addrPort(&unix.SockaddrInet6{Addr: netip.MustParseAddr("fe80::1").As16(), Port: 25, ZoneId: 3}); got != netip.MustParseAddrPort("[fe80::1]:25") {
		t.Errorf("%v", got)
	}
}
