package guard

import (
	"fmt"
	"strings"
	"sync"

	"sendwrap/wrapper/maillog"
)

// remarks are about what MTAs send us, or go-milter meets. There may be one for each packet, so that of those of one
// second the first is logged, and how many others there were.
type remarks struct {
	mu     sync.Mutex
	to     maillog.Log
	first  string
	others int
}

// longestRemark is how much of one is kept: a panic comes with its stack.
const longestRemark = 200

// Write takes a line of go-milter's.
func (r *remarks) Write(b []byte) (int, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	r.note("milter: " + line)
	return len(b), nil
}

// note keeps a remark until the next report.
func (r *remarks) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.first != "" {
		r.others++
		return
	}
	r.first = text[:min(len(text), longestRemark)]
}

// redirect has the reports go elsewhere.
func (r *remarks) redirect(to maillog.Log) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// report writes what there is; the watch calls it once a second.
func (r *remarks) report() {
	r.mu.Lock()
	text, others, to := r.first, r.others, r.to
	r.first, r.others = "", 0
	r.mu.Unlock()
	if text == "" {
		return
	}
	if others > 0 {
		text += fmt.Sprintf(" (and %d more like it)", others)
	}
	_ = to.Write(maillog.Warning, text)
}
