package setup

import (
	"context"
	"net"
	"testing"
	"time"
)

// startMTA has an MTA greet clients, and close the connection.
func startMTA(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mta.test\r\n"))
			conn.Close()
		}
	}()
	return l
}

// A signal ends the wait for an MTA that takes the connection, and does not greet.
func TestInterruptedInGreeting(t *testing.T) {
	mta, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mta.Close()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var conn net.Conn
	go func() {
		conn, _ = mta.Accept()             // which stays open
		time.Sleep(200 * time.Millisecond) // or the signal came before: that ends it, too
		stop()
	}()
	g := Goal{Delay: time.Hour, Listens: time.Hour}
	g.Greeted = append(g.Greeted, mta.Addr().(*net.TCPAddr).AddrPort())
	if err := g.await(ctx, true); err == nil || err.Error() != "interrupted" {
		t.Errorf("await: %v; want interrupted", err)
	}
	if conn == nil {
		t.Fatal("the MTA had no client")
	}
	conn.Close()
}
