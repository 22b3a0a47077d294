package guard

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"sendwrap/wrapper/maillog"
)

// remarks are about what MTAs send us. There may be one for each packet, so
// that of each kind the first is logged within a second, and then one a minute with how many others
// of its kind there were.
type remarks struct {
	mu    sync.Mutex
	to    maillog.Log
	kinds []*remark // in the order of their first
}

// remark is those of one kind.
type remark struct {
	kind  string
	first string    // since the last line
	n     int       // since then
	said  time.Time // the last line; zero if there was none
}

const (
	longestRemark = 200         // bytes that are kept of one
	mostKinds     = 16          // that are told apart at a time
	remarkEvery   = time.Minute // there is a line about a kind
)

// manyKinds is what those are counted under for which there are too many kinds.
const manyKinds = ""

// note keeps a remark until the next report.
func (r *remarks) note(text string) {
	text = text[:min(len(text), longestRemark)]
	r.mu.Lock()
	defer r.mu.Unlock()
	of := r.of(kindOf(text))
	if of.n == 0 {
		of.first = text
	}
	of.n++
}

// kindOf is what remarks have in common that differ in numbers alone: processes, ports, sizes.
func kindOf(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, text)
}

// of is where a kind is counted.
func (r *remarks) of(kind string) *remark {
	at := func(kind string) int {
		return slices.IndexFunc(r.kinds, func(of *remark) bool { return of.kind == kind })
	}
	i := at(kind)
	if i < 0 && len(r.kinds) >= mostKinds {
		kind = manyKinds
		i = at(kind)
	}
	if i < 0 {
		i = len(r.kinds)
		r.kinds = append(r.kinds, &remark{kind: kind})
	}
	return r.kinds[i]
}

// redirect has the reports go elsewhere.
func (r *remarks) redirect(to maillog.Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// report writes what there is to say; the watch calls it once a second.
func (r *remarks) report(now time.Time) {
	r.mu.Lock()
	var lines []string
	r.kinds = slices.DeleteFunc(r.kinds, func(of *remark) bool {
		if !of.said.IsZero() && now.Sub(of.said) < remarkEvery {
			return false
		}
		if of.n == 0 {
			return true
		}
		lines = append(lines, of.line())
		of.n, of.said = 0, now
		return false
	})
	to := r.to
	r.mu.Unlock()
	for _, line := range lines {
		_ = to.Write(maillog.Warning, line)
	}
}

// line says what there was since the last one.
func (of *remark) line() string {
	switch {
	case of.n == 1:
		return of.first
	case of.kind == manyKinds:
		return fmt.Sprintf("%s (and %d others, of many kinds)", of.first, of.n-1)
	}
	return fmt.Sprintf("%s (and %d more like it)", of.first, of.n-1)
}
