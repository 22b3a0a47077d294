package try

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"sendwrap/wrapper/decide"
)

// What only a room can show: a crowd for which a process each would be too much.
const (
	silent    = 500         // clients that wait and do nothing else
	longDelay = time.Minute // theirs, so that none of them has waited long enough before it is told to leave
)

// silence is the crowd that waits, and one that need not. It leaves when that one has been served.
func (s *stage) silence(r *room) scene {
	who, whom, v := byte(patient), "a known client", decide.Known
	if s.config.Remember == 0 {
		who, whom, v = trusted, "an allowed one", decide.Allowed
	}
	var took time.Duration
	var memory int
	return scene{
		who: addressOf(quiet), does: fmt.Sprintf("%d wait, %s comes", silent, whom),
		play: func(call call) []sight {
			before := r.memory()
			waiting, sights := r.fill(call, s.patience)
			memory = r.memory() - before
			one := alone(addressOf(who), call, (*client).wait)
			took = one[0].took
			return append(one, append(sights, leaveAll(waiting)...)...)
		},
		want: expectation{
			outcomes: []outcome{s.served(), {reply: nothing, clients: silent}},
			verdicts: counts{v: 1, decide.Hangup: silent},
		},
		note: func() string {
			text := fmt.Sprintf("it was greeted after %.1f ms", float64(took)/float64(time.Millisecond))
			if memory > 0 {
				text += fmt.Sprintf("; the process has grown by %.1f kB for each of the %d", float64(memory)/silent/1000, silent)
			}
			return text
		},
	}
}

// fill makes the crowd come and waits until the ledger counts all of it. What went wrong is a sight.
func (r *room) fill(call call, within time.Duration) (waiting []*client, sights []sight) {
	for range silent {
		c, err := call(addressOf(quiet))
		if err != nil {
			return waiting, []sight{{reply: nothing, err: err}}
		}
		waiting = append(waiting, c)
	}
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		t, err := totals(r.ledger)
		if err != nil {
			return waiting, []sight{{reply: nothing, err: err}}
		}
		select {
		case <-r.ended:
			return waiting, nil // who comes next finds out
		default:
		}
		if t.Waiting >= silent {
			return waiting, nil
		}
		if time.Now().After(deadline) {
			return waiting, []sight{{reply: nothing, err: fmt.Errorf("%d of %d are counted as waiting", t.Waiting, silent)}}
		}
	}
}

// leaveAll makes all leave, unless they have been told something. When they came is of no interest.
func leaveAll(waiting []*client) []sight {
	sights := make([]sight, len(waiting))
	var all sync.WaitGroup
	for i, c := range waiting {
		all.Go(func() {
			defer c.close()
			_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)) // of a socket that is open
			sights[i] = c.greeting()
			sights[i].took = 0
			if errors.Is(sights[i].err, os.ErrDeadlineExceeded) {
				sights[i].err = nil
			}
		})
	}
	all.Wait()
	return sights
}

// theEnd is the room's.
func theEnd() scene { return scene{does: "is told to end, by SIGTERM", ends: true} }
