package admin

import (
	"strings"
	"testing"

	"sendwrap/wrapper/doctor"
)

// Whoever starts a process chooses words that a finding shows. A terminal must not obey them.
func TestFindingsArePrintable(t *testing.T) {
	var out strings.Builder
	const evil = "\x1b[2J\a\u009b2J\r\nok: all is well"
	c := &call{stdout: &out}
	c.printExamination(&examination{Here: []doctor.Fact{{Name: "port 25", Text: evil}},
		Findings: []doctor.Finding{{Where: evil, What: evil, Write: evil}}})
	if strings.ContainsAny(out.String(), "\x1b\a\u009b\r") ||
		strings.Contains(out.String(), "\nok:") {
		t.Errorf("%q", &out)
	}
}
