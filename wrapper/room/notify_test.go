package room

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A room behind an inetd of systemd's sends nothing in inetd's name. Every other room sends its
// state.
func TestNotifyNotForInetd(t *testing.T) {
	dir, err := os.MkdirTemp("", "n") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	at := &net.UnixAddr{Name: dir + "/s", Net: "unixgram"}
	manager, err := net.ListenUnixgram("unixgram", at)
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	t.Setenv("NOTIFY_SOCKET", at.Name)
	t.Setenv("WATCHDOG_USEC", "1000000")
	for _, tt := range []struct {
		behindInetd bool
		invocation  string
		want        string
	}{
		{false, "", "READY=1"}, {false, "4f2c", "READY=1"},
		{true, "", "READY=1"}, {true, "4f2c", "the next"},
	} {
		t.Setenv("INVOCATION_ID", tt.invocation)
		s := newServiceManager(tt.behindInetd)
		s.ready()
		if watches := s.watchdog > 0; watches == tt.behindInetd {
			t.Errorf("behind inetd: %v; it has a watchdog: %v", tt.behindInetd, watches)
		}
		if s.fd >= 0 {
			unix.Close(s.fd)
		}
		next, err := net.DialUnix("unixgram", nil, at)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = next.Write([]byte("the next"))
		next.Close()
		said := make([]byte, 64)
		_ = manager.SetReadDeadline(time.Now().Add(lab.Patience))
		n, err := manager.Read(said)
		if err != nil || string(said[:n]) != tt.want {
			t.Errorf("%+v: %q, %v", tt, said[:n], err)
		}
		if tt.want != "the next" {
			_, _ = manager.Read(said)
		}
	}
}
