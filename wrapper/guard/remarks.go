package guard

import (
	"strings"
	"time"
	"unicode"

	"sendwrap/wrapper/maillog"
)

// remarks are log lines about what MTAs send us. An MTA could cause one with each packet, so each
// kind is limited to a line a minute. Any goroutine may use them.
type remarks struct {
	limiter maillog.Limiter
	log     func() maillog.Log
	began   time.Time
}

// maxRemark is how many bytes of a remark are logged.
const maxRemark = 200

func newRemarks(log func() maillog.Log) *remarks {
	return &remarks{log: log, began: time.Now()}
}

// note logs a remark, or counts it if there was one of its kind before.
func (r *remarks) note(text string) {
	text = text[:min(len(text), maxRemark)]
	if r.limiter.Allow(time.Since(r.began), 1, "like this: "+kindOf(text)) {
		_ = r.log().Write(maillog.Warning, text)
	}
}

// report logs how many remarks were only counted. The watch calls it once a second.
func (r *remarks) report(now time.Time) {
	lines, _ := r.limiter.Report(now.Sub(r.began))
	for _, line := range lines {
		_ = r.log().Write(maillog.Warning, line)
	}
}

// kindOf is the same for remarks that differ only in numbers: processes, ports, sizes.
func kindOf(text string) string {
	return strings.Join(strings.FieldsFunc(text, unicode.IsDigit), "N")
}
