package share

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"sendwrap/tests/lab"
)

// tamperer stands between a machine and its engine, and does something to the answers.
type tamperer struct {
	engine string
	done   atomic.Int64 // answers that something was done to
	how    atomic.Pointer[func(t *tamperer, to net.Conn, answer []byte) (ok bool)]
}

// What is done to an answer. ok is false if the connection ends then.
func pass(_ *tamperer, to net.Conn, answer []byte) (ok bool) {
	for len(answer) > 0 { // byte by byte
		if _, err := to.Write(answer[:1]); err != nil {
			return false
		}
		answer = answer[1:]
	}
	return true
}

func half(t *tamperer, to net.Conn, answer []byte) (ok bool) {
	t.done.Add(1)
	_, _ = to.Write(answer[:len(answer)/2])
	return false
}

// instead gives another answer.
func instead(text string) func(*tamperer, net.Conn, []byte) bool {
	return func(t *tamperer, to net.Conn, _ []byte) (ok bool) {
		t.done.Add(1)
		_, _ = to.Write([]byte(text))
		return true
	}
}

func (t *tamperer) set(how func(*tamperer, net.Conn, []byte) bool) { t.how.Store(&how) }

func (t *tamperer) serve(l net.Listener) {
	for {
		from, err := l.Accept()
		if err != nil {
			return
		}
		go t.carry(from)
	}
}

func (t *tamperer) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("unix", t.engine)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		defer to.Close()
		copyAll(from, func(p []byte) bool { _, err := to.Write(p); return err == nil })
	}()
	copyAll(to, func(p []byte) bool { return (*t.how.Load())(t, from, p) })
}

func copyAll(from net.Conn, give func([]byte) bool) {
	buffer := make([]byte, 4096)
	for {
		n, err := from.Read(buffer)
		if n > 0 && !give(buffer[:n]) || err != nil {
			return
		}
	}
}

// An engine that answers nonsense, or half, does nothing to a machine: its courier and its room go
// on, and when the answers are right again it learns of what has happened.
func TestTampered(t *testing.T) {
	t.Parallel()
	e := startEngine(t, redis)
	a, b := newMachine(t, e, "mx1", quick), newMachine(t, e, "mx2", quick)
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	between := &tamperer{engine: e.socket()}
	between.set(pass)
	go between.serve(l)
	b.configure(fmt.Sprintf("valkey://%s:%d", b.here, l.Addr().(*net.TCPAddr).Port), quick)
	b.startRoom()
	for _, m := range []*machine{a, b} {
		m.startShare()
		m.waitLogged(back, 1)
	}
	courier := b.courier()
	for n, how := range []func(*tamperer, net.Conn, []byte) bool{half, instead("*-7\r\n"),
		instead("HTTP/1.1 200 OK\r\n\r\n")} {
		const tries = 3
		before := between.done.Load()
		between.set(how)
		a.command("block", fmt.Sprintf("198.18.0.%d", n+1), "1h")
		lab.Eventually(t, "the machine tries again", func() bool {
			return between.done.Load() >= before+tries
		})
		if b.blocked("198.18.1.1") {
			t.Error("a client is blocked")
		}
		between.set(pass)
		b.waitLogged(back, n+2)
		b.waitLogged(fmt.Sprintf("BLOCK network=198.18.0.%d/32", n+1), 1)
	}
	if b.courier() != courier {
		t.Error("the courier has ended")
	}
}
