package packaging

import (
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// What logrotate has made of a log is read again as a whole, packed files too.
func TestLogrotate(t *testing.T) {
	rotate := lab.NeedProgram(t, "logrotate")
	dir := t.TempDir()
	log, conf := filepath.Join(dir, "sendwrap.log"), filepath.Join(dir, "conf")
	write(t, conf, strings.ReplaceAll(read(t, "logrotate.conf"), "/var/log/sendwrap.log", log)+
		"su root root\n", 0o644)
	lines := strings.SplitAfter(read(t, "../wrapper/report/testdata/week.log"), "\n")
	write(t, log, strings.Join(lines, ""), 0o640)
	want := must(t, program(), "report", log)
	write(t, log, "", 0o640)
	third := len(lines) / 3
	for _, part := range [][]string{lines[:third], lines[third : 2*third]} {
		write(t, log, strings.Join(part, ""), 0o640)
		must(t, rotate, "--force", "--state", filepath.Join(dir, "state"), conf)
	}
	write(t, log, strings.Join(lines[2*third:], ""), 0o640)
	names, err := filepath.Glob(log + "*")
	const last = "\nread: " // which logs
	if err != nil || len(names) != 3 || names[2] != log+".2.gz" {
		t.Fatalf("%q, %v", names, err)
	}
	got, logs, _ := strings.Cut(must(t, program(), append([]string{"report"}, names...)...), last)
	if want, _, _ = strings.Cut(want, last); got != want || strings.Count(logs, log) != 3 {
		t.Errorf("the report is\n%s\nwant\n%s", got, want)
	}
}
