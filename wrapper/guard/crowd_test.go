package guard

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
)

func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// goroutines counts the goroutines of sessions.
func goroutines() int {
	stacks := make([]byte, 16<<20)
	text := string(stacks[:runtime.Stack(stacks, true)])
	return strings.Count(text, "\ncreated by sendwrap/wrapper/guard.(*guard).serve") +
		strings.Count(text, "\ncreated by sendwrap/wrapper/guard.(*session).await")
}

// A thousand sessions at once, each of its own client, with mixed work: each is counted by itself,
// and nothing is left of them afterwards.
func TestThousand(t *testing.T) {
	const sessions = 1000
	p := stand(t, rules)
	descriptors(t) // which makes the runtime's own
	fds := descriptors(t)
	remote, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go p.accept(remote)
	// After how many bad ones the n-th session stops; 0 = never.
	ends := func(n int) int { return n % 3 }
	all := make([]*mta, sessions)
	for n := range all {
		// Sessions that are ended come over TCP. Otherwise the guard would look for each client
		// among the thousands of descriptors of the test's process.
		if all[n] = p.dial(); ends(n) == 0 {
			all[n].Close()
			all[n] = dial(t, "tcp", remote.Addr().String())
		}
		all[n].negotiate().connect(fmt.Sprintf("10.0.%d.%d", n/250, n%250), 40000)
	}
	if n := len(p.allSessions()); n != sessions {
		t.Fatalf("%d sessions are watched", n)
	}
	lab.Eventually(t, "each has one goroutine", func() bool { return goroutines() == sessions })
	var ended atomic.Int64
	work := func(t *testing.T, part int) {
		r := rand.New(rand.NewPCG(uint64(part), 2))
		var mine []int
		for n := part; n < sessions; n += 8 {
			mine = append(mine, n)
		}
		bad := map[int]int{}
		for step := range 6 {
			r.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
			for _, n := range mine {
				m := &mta{all[n].Conn, t}
				switch want := "c"; {
				case step == 0:
					m.want("c", m.mail())
				case step%2 == 1 && (ends(n) == 0 || bad[n] < ends(n)):
					if bad[n]++; bad[n] >= 3 {
						want = "y421 4.7.0"
						ended.Add(1)
					}
					m.want(want, m.bad("x"))
				case bad[n] >= 3:
					m.want("y421", m.good("x"))
				default:
					m.want("c", m.good("x"))
				}
			}
		}
	}
	t.Run("all", func(t *testing.T) {
		for part := range 8 {
			t.Run(fmt.Sprint(part), func(t *testing.T) { t.Parallel(); work(t, part) })
		}
	})
	got, want := p.count(int(decide.BadRcpts)), int(ended.Load())
	if got != want || want != (sessions+2)/3 {
		t.Errorf("%d BADRCPTS counted; want %d", got, want)
	}
	for n, m := range all {
		if n%2 == 0 {
			m.send("Q")
		}
		m.Close()
	}
	remote.Close()
	lab.Eventually(t, "all of it ends", func() bool {
		return goroutines() == 0 &&
			descriptors(t) <= fds
	})
	if n := len(p.allSessions()); n != 0 {
		t.Errorf("%d sessions are watched still", n)
	}
}

// Bad recipients of one network, from 50 sessions at once: the tenth begins the block, and none is
// lost.
func TestTotalIsExact(t *testing.T) {
	const sessions, limit = 50, 10
	for round := range 5 {
		p := stand(t, "bad_rcpts 0\nbad_rcpt_delay 0s\nbad_rcpts_total 10/1h\n"+
			"block strikes=3 kill=off\n")
		var all []*mta
		for range sessions {
			m := p.client("2001:db8::9")
			m.want("c", m.mail())
			all = append(all, m)
		}
		start := make(chan struct{})
		answers := make(chan string, sessions)
		for _, m := range all {
			go func() {
				<-start
				answers <- m.bad("x")
			}()
		}
		close(start)
		var goOn, over int
		for range sessions {
			switch a := <-answers; {
			case a == "c":
				goOn++
			case strings.HasPrefix(a, "y421 4.7."):
				over++
			default:
				t.Errorf("%q", a)
			}
		}
		if goOn != limit-1 || over != sessions-limit+1 {
			t.Errorf("round %d: %d went on, %d are over; want %d", round, goOn, over, limit-1)
		}
		bad, blocked := p.count(int(decide.BadRcpts)), p.count(int(decide.Blocked))
		if bad != 1 || blocked != sessions-limit {
			t.Errorf("round %d: counted %d BADRCPTS, %d BLOCKED; want 1, %d",
				round, bad, blocked, sessions-limit)
		}
		p.inOther(func(tx *ledger.Tx) {
			b, blocked := tx.BlockOf(p.allSessions()[0].client.Addr(), p.allSessions()[0].network)
			if !blocked || b.Reason != reasonBadRcpts || b.Times != 1 {
				t.Errorf("round %d: the block is %+v", round, b)
			}
			if n := tx.BadRcpt(p.allSessions()[0].network, time.Hour); n.Bad != sessions+1 {
				t.Errorf("round %d: %d bad recipients counted; want %d", round, n.Bad-1, sessions)
			}
		})
		for _, m := range all { // the others hear of it at whatever they say next
			m.want("y421 4.7.", m.good("x"))
			m.Close()
		}
	}
}

// A window slides: bad recipients are forgotten when it has passed, in any number of sessions.
func TestTotalSlides(t *testing.T) {
	for window := time.Second; ; window *= 2 {
		p := stand(t, "bad_rcpts 0\nbad_rcpt_delay 0s\nbad_rcpts_total 3/"+window.String()+"\n")
		bad := func() string {
			t.Helper()
			m := p.client("192.0.2.1")
			defer m.Close()
			m.want("c", m.mail())
			return m.bad("x")
		}
		for range 2 {
			if got := bad(); got != "c" {
				t.Fatalf("%q below the limit", got)
			}
		}
		time.Sleep(window * 13 / 10)
		began := time.Now()
		for range 2 {
			if got := bad(); got != "c" {
				t.Fatalf("%q; want those before to be forgotten", got)
			}
		}
		switch got := bad(); {
		case strings.HasPrefix(got, "y421 4.7.0"):
			return
		case time.Since(began) < window/2:
			t.Fatalf("%q at the third within %v; want 421", got, time.Since(began))
		}
		t.Logf("three take more than half of %v", window)
	}
}
