package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/loglines"
	"sendwrap/wrapper/policy"
)

// maxListed is how many rows a list has. Of refused clients the JSON has maxOffenders.
const (
	maxListed    = 20
	maxOffenders = 500
)

// lastBlocks are the blocks that began last.
type lastBlocks []Block

func (b *lastBlocks) add(block Block) {
	at, _ := slices.BinarySearchFunc(*b, block, func(x, y Block) int {
		return y.At.Compare(x.At)
	})
	if at < maxListed {
		*b = slices.Insert(*b, at, block)[:min(len(*b)+1, maxListed)]
	}
}

// longestWaits are the clients that waited longest.
type longestWaits []Wait

func (w *longestWaits) add(wait Wait) {
	n := len(*w)
	if n == maxListed && (*w)[n-1].Seconds >= wait.Seconds {
		return
	}
	at, _ := slices.BinarySearchFunc(*w, wait, func(x, y Wait) int {
		return cmp.Or(cmp.Compare(y.Seconds, x.Seconds), x.At.Compare(y.At))
	})
	wait.Verdict = strings.Clone(wait.Verdict)
	*w = slices.Insert(*w, at, wait)[:min(n+1, maxListed)]
}

// lengths are where the rows of sessions by length end.
var lengths = [...]time.Duration{
	time.Second, 10 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
}

// lengthOf is the row of a session.
func lengthOf(d time.Duration) int {
	for i, end := range lengths {
		if d < end {
			return i
		}
	}
	return len(lengths)
}

// lengthName is what a row is called.
func lengthName(i int) string {
	if i == len(lengths) {
		return "longer"
	}
	return "below " + rule.FormatDuration(lengths[i])
}

// places is how scarce places were for clients that were refused as BUSY.
type places struct {
	full  int // refused because all places were taken
	limit int // max_sessions then
}

func (p *places) add(l *loglines.Line) {
	if n, limit, ok := l.IntOf("serving"); ok && n >= limit && limit < policy.MaxSessions {
		p.full++
		p.limit = limit
	}
}
