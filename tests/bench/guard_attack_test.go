package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// A reply may tell nothing about a name: then the name must be tried again, and before all others.
func TestDictionary(t *testing.T) {
	d := newDictionary(40)
	for i, reply := range []string{"550 5.1.1 no", "550 5.1.1 no", "452 4.5.3 too many",
		"421 4.7.0 go", "", "550 5.1.1 no", "550 5.1.1 no", "550 5.1.1 no", "250 2.1.5 yes"} {
		g, ok := d.next()
		if !ok {
			t.Fatalf("nothing left after %d", i)
		}
		if want := []string{"name000", "name001", "name002", "name002", "name002", "name002",
			"name003", "name004", "name005"}[i]; g.name != want {
			t.Errorf("name %d is %s, want %s", i, g.name, want)
		}
		if err := d.tried(g, reply); err != nil {
			t.Errorf("%s, %q: %v", g.name, reply, err)
		}
	}
	if d.learned != 6 || d.valid != 1 || len(d.left) != 34 {
		t.Errorf("%d learned, %d of them valid, %d left; want 6, 1, 34", d.learned, d.valid,
			len(d.left))
	}
	for _, tt := range []struct {
		valid bool
		reply string
	}{{true, "550 5.1.1 no"}, {false, "250 2.1.5 yes"}} {
		if err := d.tried(guess{"x", tt.valid}, tt.reply); err == nil {
			t.Errorf("a name is valid: %v, the reply is %q, and that is believed", tt.valid,
				tt.reply)
		}
	}
	valid := 0
	for _, g := range guessable(guesses) {
		if g.valid {
			valid++
		}
	}
	if valid != guesses/validOne {
		t.Errorf("%d of %d names are valid, want %d", valid, guesses, guesses/validOne)
	}
}

// smtp is a mail server of the tests'. It knows the valid names, and behaves as its fields say.
type smtp struct {
	most int // recipients of an envelope; then 452; 0: no limit
	// recipients of a connection that it rejects; at this one it says 550 and closes; 0: no limit
	bad      int
	say421   bool // instead of that 550
	serves   int  // connections; the others hear 421; 0: all
	lies     bool
	pause    time.Duration // before each recipient's reply
	together int           // connections, before any is greeted; 0: no matter
	all      chan struct{} // closed when they are there
	served   atomic.Int32
	refused  atomic.Int32
	asked    atomic.Int32 // recipients
}

// listens serves until the test ends.
func (s *smtp) listens(t *testing.T) netip.AddrPort {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait() })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			all.Go(func() { s.serve(c) })
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func (s *smtp) serve(c net.Conn) {
	defer c.Close()
	n := int(s.served.Add(1))
	if n == s.together {
		close(s.all)
	}
	if s.serves > 0 && n > s.serves {
		s.refused.Add(1)
		fmt.Fprint(c, "421 4.7.1 blocked\r\n")
		return
	}
	if s.together > 0 {
		select {
		case <-s.all:
		case <-time.After(lab.Patience):
		}
	}
	fmt.Fprint(c, "220-mx\r\n220 mx\r\n")
	envelope, bad := 0, 0
	for in := bufio.NewScanner(c); in.Scan(); {
		reply := "250 2.0.0 yes"
		switch word, rest, _ := strings.Cut(in.Text(), " "); word {
		case "RSET", "MAIL":
			envelope = 0
		case "QUIT":
			fmt.Fprint(c, "221 2.0.0 bye\r\n")
			return
		case "RCPT":
			time.Sleep(s.pause)
			s.asked.Add(1)
			var i int
			if _, err := fmt.Sscanf(rest, "TO:<name%d@", &i); err != nil {
				reply = "500 " + err.Error()
				break
			}
			envelope++
			if s.most > 0 && envelope > s.most {
				reply = "452 4.5.3 too many"
				break
			}
			if i%validOne == firstValid != s.lies {
				break
			}
			reply = "550 5.1.1 no"
			if bad++; bad == s.bad {
				if s.say421 {
					reply = "421 4.7.0 no more"
				}
				fmt.Fprint(c, reply+"\r\n")
				return
			}
		}
		fmt.Fprint(c, reply+"\r\n")
	}
}

func TestAttack(t *testing.T) {
	home := netip.MustParseAddr("127.0.0.1")
	const names = 60
	kinds := attacks(names)
	for _, tt := range []struct {
		name   string
		server *smtp
		attack attack
		want   tally // without what takes time
	}{
		{"no defence, one envelope", &smtp{}, kinds[0],
			tally{learned: 60, valid: 3, connections: 1}},
		{"no defence, RSET", &smtp{}, kinds[1], tally{learned: 60, valid: 3, connections: 1}},
		{"no defence, one each", &smtp{}, kinds[2], tally{learned: 60, valid: 3, connections: 60}},
		// It goes on with the name that was not answered, in the next envelope.
		{"10 an envelope", &smtp{most: 10}, kinds[0], tally{learned: 60, valid: 3, connections: 1}},
		// And in the next connection: 57 bad names are 19 times 3.
		{"closes at the third", &smtp{bad: 3}, kinds[0],
			tally{learned: 60, valid: 3, connections: 19}},
		// The third is not told then: 28 times 2, and one more.
		{"421 at the third", &smtp{bad: 3, say421: true}, kinds[0],
			tally{learned: 60, valid: 3, connections: 29}},
		{"closed door", &smtp{bad: 3, serves: 1}, kinds[1],
			tally{learned: 3, connections: 4, refused: 3}},
		{"closed door for one each", &smtp{serves: 11}, kinds[2],
			tally{learned: 11, valid: 1, connections: 14, refused: 3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.attack.run(home, tt.server.listens(t), time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			// One after the other: together they take no longer than the attack.
			if got.held <= 0 || got.took < got.held {
				t.Errorf("held for %v, took %v", got.held, got.took)
			}
			got.held, got.took = 0, 0
			if got != tt.want {
				t.Errorf("got %+v; want %+v", got, tt.want)
			}
		})
	}
	t.Run("no more in this envelope", func(t *testing.T) {
		s := &smtp{most: 10}
		got, err := kinds[0].run(home, s.listens(t), time.Minute)
		if asked := s.asked.Load(); err != nil || asked != names+5 {
			t.Errorf("got %+v, %v, asked %d times; want %d names and 5 once more, each in the "+
				"next envelope", got, err, asked, names)
		}
	})
	t.Run("20 at once", func(t *testing.T) {
		s := &smtp{pause: time.Millisecond, together: 20, all: make(chan struct{})}
		got, err := kinds[3].run(home, s.listens(t), time.Minute)
		if err != nil || got.learned != names || got.valid != 3 || got.connections != 20 {
			t.Errorf("got %+v, %v; want all learned, by 20 sessions", got, err)
		}
		// Each sits through the pause of each of its own names.
		if got.held < names*s.pause {
			t.Errorf("held for %v; want %d times %v", got.held, names, s.pause)
		}
	})
	t.Run("20 at a closed door", func(t *testing.T) {
		s := &smtp{serves: 1, bad: 1}
		got, err := kinds[3].run(home, s.listens(t), time.Minute)
		if err != nil || got.learned != 1 || got.refused != 20*refusals ||
			int(s.refused.Load()) != got.refused {
			t.Errorf("got %+v, %v; want 1 learned, and each of 20 refused %d times", got, err,
				refusals)
		}
	})
	t.Run("time limit", func(t *testing.T) {
		s := &smtp{pause: 20 * time.Millisecond}
		got, err := kinds[0].run(home, s.listens(t), 200*time.Millisecond)
		if err != nil || !got.late || got.learned > 10 {
			t.Errorf("got %+v, %v; want at most 10 learned in 10 pauses, and that it is late", got,
				err)
		}
	})
	t.Run("lies", func(t *testing.T) {
		s := &smtp{lies: true}
		if got, err := kinds[1].run(home, s.listens(t), time.Minute); err == nil {
			t.Errorf("got %+v; want an error, as all that was told is wrong", got)
		}
	})
}
