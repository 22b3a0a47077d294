package try

import (
	"fmt"
	"sync"
	"time"

	"sendwrap/wrapper/decide"
)

// What only a room can show: a crowd that is too large for a process each.
const (
	crowdWaits = 500         // clients that wait and do nothing else
	crowdDelay = time.Minute // their greet delay: none of them is greeted before it leaves
)

// waitingCrowd is a crowd that waits, and one client that need not. The crowd leaves when that one
// has been served.
func (s *stage) waitingCrowd(r *room) scene {
	who, does, v := byte(patient), "a known client", decide.Known
	if s.config.Remember == 0 {
		who, does, v = trusted, "an allowed one", decide.Allowed
	}
	var took time.Duration
	var memory int
	return scene{
		who: addressOf(quiet).String(), does: fmt.Sprintf("%d wait, %s comes", crowdWaits, does),
		play: func(connect dialFunc) []sight {
			before := r.memory()
			waiting, sights := r.connectCrowd(connect, s.patience)
			memory = r.memory() - before
			one := runOne(addressOf(who), connect, (*client).wait)
			took = one[0].took
			return append(one, append(sights, hangUpAll(waiting)...)...)
		},
		want: expectation{
			outcomes: []outcome{s.servedPromptly(), {reply: nothing, clients: crowdWaits}},
			verdicts: counts{v: 1, decide.Hangup: crowdWaits},
		},
		note: func() string {
			text := fmt.Sprintf("greeted after %.1f ms", float64(took)/float64(time.Millisecond))
			if memory > 0 {
				text += fmt.Sprintf("; the room grew by %.1f kB for each client that waits",
					float64(memory)/crowdWaits/1000)
			}
			return text
		},
	}
}

// connectCrowd connects the crowd and waits until the ledger counts all of it. A failure is the one
// sight that it returns.
func (r *room) connectCrowd(connect dialFunc, within time.Duration) (
	waiting []*client, sights []sight) {
	failed := func(err error) ([]*client, []sight) {
		return waiting, []sight{{reply: nothing, err: err}}
	}
	for range crowdWaits {
		c, err := connect(addressOf(quiet))
		if err != nil {
			return failed(err)
		}
		waiting = append(waiting, c)
	}
	for deadline := time.Now().Add(within); ; time.Sleep(10 * time.Millisecond) {
		t, err := totals(r.ledger)
		if err != nil {
			return failed(err)
		}
		select {
		case <-r.ended:
			return waiting, nil // the next client finds out
		default:
		}
		if t.Waiting >= crowdWaits {
			return waiting, nil
		}
		if time.Now().After(deadline) {
			return failed(fmt.Errorf("the ledger counts %d clients that wait; want %d",
				t.Waiting, crowdWaits))
		}
	}
}

// hangUpAll disconnects all clients, and returns what each has read until then. How long they were
// there does not matter.
func hangUpAll(waiting []*client) []sight {
	sights := make([]sight, len(waiting))
	var all sync.WaitGroup
	for i, c := range waiting {
		all.Go(func() {
			defer c.close()
			sights[i] = c.seenSoFar()
			sights[i].took = 0
		})
	}
	all.Wait()
	return sights
}
