package maillog

import (
	"slices"
	"strconv"
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
	kinds map[string]*limited
}

// limited is what a Limiter knows of one kind.
type limited struct {
	written int           // lines since the last quiet minute
	dropped int           // lines since the last report
	since   time.Duration // the first line, or the last report
}

const (
	limitEvery = time.Minute

	// maxKinds is how many kinds are distinguished at a time. All others are one kind.
	maxKinds   = 16
	otherKinds = "lines of other kinds"
)

// Allow reports whether a line may be written: whether it is one of the first most of its kind.
// Kind is what the line that counts the others calls them: "12 more clients were refused".
func (l *Limiter) Allow(now time.Duration, most int, kind string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kinds == nil {
		l.kinds = map[string]*limited{}
	}
	k := l.kinds[kind]
	if k == nil && len(l.kinds) >= maxKinds {
		kind = otherKinds
		k = l.kinds[kind]
	}
	if k == nil {
		k = &limited{since: now}
		l.kinds[kind] = k
	}
	if k.written >= most {
		k.dropped++
		return false
	}
	k.written++
	return true
}

// Report returns the lines that are due about lines that were not allowed. Call it about once a
// second until more is false.
func (l *Limiter) Report(now time.Duration) (lines []string, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, k := range l.kinds {
		switch {
		case now-k.since < limitEvery:
		case k.dropped == 0:
			delete(l.kinds, kind)
		default:
			lines = append(lines, strconv.Itoa(k.dropped)+" more "+kind)
			k.dropped, k.since = 0, now
		}
	}
	slices.Sort(lines)
	return lines, len(l.kinds) > 0
}
