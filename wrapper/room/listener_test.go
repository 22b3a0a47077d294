package room

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper"
)

// Another process that has the listening socket too has shut it down.
func TestShutDown(t *testing.T) {
	h := build(t, slow)
	h.guest("127.8.0.1")
	h.until("it waits", func() bool { return h.held == 1 })
	second, err := Listen("127.0.0.1:0")
	if err == nil {
		err = h.addListener(second)
	}
	if err == nil {
		err = unix.Shutdown(h.listeners[0].fd, unix.SHUT_RDWR)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.until("it is given up", func() bool { return len(h.listeners) == 1 })
	if h.logged("listening socket", "serving on the other sockets") != 1 ||
		h.listeners[0].fd != second {
		t.Errorf("log: %q", h.said())
	}
	h.addr = wrapper.LocalAddr(second).String()
	h.guest("127.8.0.2")
	h.until("one comes to the other", func() bool { return h.held == 2 })

	if err := unix.Shutdown(second, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	ends := make(chan error)
	go func() { ends <- h.loop() }()
	select {
	case err = <-ends:
	case <-time.After(lab.Patience):
		// and with the loop; the test's end is all that can stop it
		t.Fatal("the room goes on without a socket")
	}
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "listening socket") {
		t.Errorf("the room ends with %v", err)
	}
}
