package room

import (
	"net"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// manager is a service manager's socket (sd_notify(3)).
type manager struct {
	t *testing.T
	*net.UnixConn
}

func listenAt(t *testing.T, name string) manager {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return manager{t, conn}
}

// next waits for the next message.
func (m manager) next() string {
	m.t.Helper()
	_ = m.SetReadDeadline(time.Now().Add(lab.Patience))
	b := make([]byte, 1024)
	n, err := m.Read(b)
	if err != nil {
		m.t.Fatalf("no message for the service manager: %v", err)
	}
	return string(b[:n])
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
