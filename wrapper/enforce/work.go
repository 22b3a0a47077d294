package enforce

import (
	"cmp"
	"fmt"
	"time"
)

const (
	visitPause = 100 * time.Millisecond // between two visits to sessions
	warnEvery  = time.Second            // of blocks that found no place
)

// runHooks runs on_block for one block after the other.
func (q *Queue) runHooks() {
	for p := range q.hooks {
		q.mu.Lock()
		p.hookTaken = true // it runs again for a block that is added from now on
		e, b, end := q.enforcer, p.hook, p.hookEnd
		q.mu.Unlock()
		var err error
		if b.For = time.Until(end); b.For > 0 {
			err = e.RunHook(b)
		}
		q.finish(p, err)
	}
}

// finish notes that one of the two tasks is done, and an error of on_block.
func (q *Queue) finish(p *pendingBlock, hookErr error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.hookErr = cmp.Or(hookErr, p.hookErr)
	if p.tasks--; p.tasks == 0 {
		delete(q.pending, p.Network)
		close(p.done)
	}
}

// endSessions ends the sessions of blocks that are due, until the queue is closed.
func (q *Queue) endSessions() {
	for {
		due, skipped, wait := q.takeDue(time.Now())
		if wait < 0 {
			return
		}
		e, _ := q.current()
		if skipped > 0 {
			e.warn(fmt.Sprintf("enforcement queue full (%d blocks pending): on_block was not run, "+
				"and sessions were not ended, for %d more blocks", maxPending, skipped))
		}
		if len(due) > 0 {
			e.step(due)
			q.requeue(&e, due)
			time.Sleep(visitPause) // so that the next visit is for many
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-q.wakeUp:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// takeDue returns the blocks that are due, how many have been skipped, and if none is due how long
// to wait: less than zero if the queue is closed.
func (q *Queue) takeDue(now time.Time) (due []*pendingBlock, skipped int, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wait = time.Hour
	if left := q.warnedAt.Add(warnEvery).Sub(now); q.skipped > 0 && left > 0 && !q.closed {
		wait = left
	} else if q.skipped > 0 {
		skipped, q.skipped, q.warnedAt = q.skipped, 0, now
	}
	rest := q.sessions[:0]
	for _, p := range q.sessions {
		p.hurried = p.hurried || q.hurry
		left := p.due.Sub(now)
		if left <= 0 || q.hurry {
			due = append(due, p)
			continue
		}
		wait = min(wait, left)
		rest = append(rest, p)
	}
	clear(q.sessions[len(rest):])
	q.sessions, q.hurry = rest, false
	if q.closed && len(due) == 0 {
		wait = -1
	}
	return due, skipped, wait
}

// requeue keeps the blocks whose sessions must be visited again, and finishes the others.
func (q *Queue) requeue(e *Enforcer, visited []*pendingBlock) {
	for _, p := range visited {
		q.mu.Lock()
		again := p.needsVisit() && !q.closed
		if again {
			p.due = time.Now().Add(visitAgain)
			if !p.ending {
				p.due = p.since.Add(e.Config.Block.Grace)
			}
			q.sessions = append(q.sessions, p)
		}
		q.mu.Unlock()
		if !again {
			e.report(p)
			q.finish(p, nil)
		}
	}
}
