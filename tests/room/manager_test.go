package room

import (
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// manager is a service manager's socket (sd_notify(3)). It is read all the time, as a manager does:
// the kernel keeps ten messages, and a room throws away what is more.
type manager struct {
	t *testing.T
	*net.UnixConn
	messages chan string
}

func listenAt(t *testing.T, name string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := manager{t, conn, make(chan string, 10_000)}
	go func() {
		b := make([]byte, 1024)
		for n, err := m.Read(b); err == nil; n, err = m.Read(b) {
			m.messages <- string(b[:n])
		}
	}()
	return m
}

// next waits for the next message.
func (m manager) next() string {
	m.t.Helper()
	select {
	case message := <-m.messages:
		return message
	case <-time.After(lab.Patience):
		m.t.Fatal("no message for the service manager")
		return ""
	}
}

// expect waits for a message with this text.
func (m manager) expect(want string) {
	m.t.Helper()
	for deadline := time.Now().Add(lab.Patience); !strings.Contains(m.next(), want); {
		if time.Now().After(deadline) {
			m.t.Fatalf("the service manager gets no message with %q", want)
		}
	}
}

// mark sends a message of the test's own; messages that were sent before it come first.
func (m manager) mark(text string) {
	m.t.Helper()
	conn, err := net.Dial("unixgram", m.LocalAddr().String())
	if err == nil {
		_, err = conn.Write([]byte(text))
		conn.Close()
	}
	if err != nil {
		m.t.Fatal(err)
	}
}
