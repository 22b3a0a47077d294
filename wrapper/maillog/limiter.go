package maillog

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// Limiter keeps a flood of like lines out of a log. The first lines of a kind are written; after
// that one line a minute says how many more there were, until a minute passes without any. The zero
// Limiter is ready, and any goroutine may use it. Its times are of one clock that never goes back.
//
// It limits the lines of one process. The ledger has a limiter of its own for what many processes
// would log, each once.
type Limiter struct {
	mu    sync.Mutex
	kinds []limited
}

// limited is what a Limiter knows of one kind.
type limited struct {
	kind    string
	written int           // lines since the last quiet minute
	dropped int           // lines since the last report
	since   time.Duration // the first line, or the last report
}

const (
	limitEvery = time.Minute

	// maxKinds is how many kinds are told apart at a time. All others are one kind.
	maxKinds   = 16
	otherKinds = "lines of other kinds"
)

// Allow reports whether a line may be written: whether it is one of the first most of its kind.
// Kind is what the line that counts the others calls them: "12 more clients were refused".
func (l *Limiter) Allow(now time.Duration, most int, kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.find(now, kind)
	if k.written >= most {
		k.dropped++
		return false
	}
	k.written++
	return true
}

func (l *Limiter) find(now time.Duration, kind string) *limited {
	is := func(kind string) func(limited) bool {
		return func(k limited) bool { return k.kind == kind }
	}
	i := slices.IndexFunc(l.kinds, is(kind))
	if i < 0 && len(l.kinds) >= maxKinds {
		kind = otherKinds
		i = slices.IndexFunc(l.kinds, is(kind))
	}
	if i < 0 {
		i = len(l.kinds)
		l.kinds = append(l.kinds, limited{kind: kind, since: now})
	}
	return &l.kinds[i]
}

// Report returns the lines that are due about lines that were not allowed. Call it about once a
// second until more is false.
func (l *Limiter) Report(now time.Duration) (lines []string, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	keep := l.kinds[:0]
	for _, k := range l.kinds {
		if now-k.since >= limitEvery {
			if k.dropped == 0 {
				continue
			}
			lines = append(lines, fmt.Sprintf("%d more %s", k.dropped, k.kind))
			k.dropped, k.since = 0, now
		}
		keep = append(keep, k)
	}
	clear(l.kinds[len(keep):])
	l.kinds = keep
	return lines, len(keep) > 0
}
