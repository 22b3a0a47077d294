package room

import (
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sendwrap/tests/lab"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// stranger returns an address that no client has used before.
func stranger() netip.Addr {
	n := strangers.Add(1)
	return netip.AddrFrom4([4]byte{127, 64 + byte(n>>16), byte(n >> 8), byte(n)})
}

// connectMany connects n clients with new addresses, which then wait for the greeting.
func (s *server) connectMany(n int) []*lab.Client {
	s.t.Helper()
	all := make([]*lab.Client, n)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				c, err := lab.Dial(stranger(), s.addr)
				if err != nil {
					s.t.Errorf("client %d of %d: %v", i, n, err)
					return
				}
				all[i] = c
				s.t.Cleanup(func() { c.Close() })
			}
		})
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
	return all
}

// checkGreeted connects a client, which must be greeted, and ends its session.
func (s *server) checkGreeted(from netip.Addr) {
	s.t.Helper()
	c, err := lab.Dial(from, s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Abort()
	if got := reply(c); !strings.HasPrefix(got, "220 ") {
		s.t.Fatalf("%v gets %q; want a greeting", from, got)
	}
	quit(s.t, c)
}

// reply is the server's next reply, or the error; "" if the connection has ended.
func reply(c *lab.Client) string {
	got, err := c.Reply()
	if err != nil {
		return err.Error()
	}
	return got
}

// quit ends a session.
func quit(t *testing.T, c *lab.Client) {
	t.Helper()
	if got, err := c.Say("QUIT"); err != nil || !strings.HasPrefix(got, "221 ") {
		t.Errorf("QUIT: %q, %v", got, err)
	}
}

// talkEarly connects a new client that speaks before the greeting, and returns the reply.
func (s *server) talkEarly() string { return s.talkEarlyFrom(stranger()) }

func (s *server) talkEarlyFrom(from netip.Addr) string {
	c, err := lab.Dial(from, s.addr)
	if err != nil {
		return err.Error()
	}
	defer c.Abort() // their ports, thousands, must not stay in TIME_WAIT
	if err := c.Send("EHLO bot.example"); err != nil {
		return err.Error()
	}
	return reply(c)
}
