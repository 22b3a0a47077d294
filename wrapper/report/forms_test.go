package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// forms are the week in every form in which a log may come.
func forms(lines []string) map[string][]byte {
	iso, rfc5424, short, journal := "", "", "", ""
	stamp := regexp.MustCompile(`^(.{15}) (\S+) ([\w-]+)\[(\d+)\]: (.*)$`)
	for _, line := range lines {
		m := stamp.FindStringSubmatch(line)
		at, _ := time.Parse(time.Stamp, m[1])
		year := 2026
		if at.Month() == time.January {
			year = 2027
		}
		at = at.AddDate(year, 0, 0)
		iso += at.Format("2006-01-02T15:04:05.000000+00:00") + line[15:] + "\n"
		zone := at.In(time.FixedZone("", 3*3600))
		priority := 22
		if strings.HasPrefix(m[5], "ledger: ") {
			priority = 20
		}
		rfc5424 += fmt.Sprintf("<%d>1 %s %s %s %s - [x@1 y=\"a ] \\\" sendwrap\"] %s\n", priority,
			zone.Format("2006-01-02T15:04:05.000Z07:00"), m[2], m[3], m[4], m[5])
		short += fmt.Sprintf("<%d>%s %s mail.info %s[%s]: %s\r\n", priority, m[1], m[2], m[3],
			m[4], m[5])
		e, _ := json.Marshal(map[string]string{
			"__REALTIME_TIMESTAMP": fmt.Sprint(at.UnixMicro()), "_TRANSPORT": "syslog",
			"SYSLOG_IDENTIFIER": m[3], "SYSLOG_PID": m[4], "MESSAGE": m[5], "_HOSTNAME": m[2],
		})
		journal += string(e) + "\n"
	}
	return map[string][]byte{"iso": []byte(iso), "rfc5424": []byte(rfc5424),
		"busybox": []byte(short), "journal": []byte(journal)}
}

// packed packs a log in every way.
func packed(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for suffix, name := range map[string]string{"gz": "gzip", "zst": "zstd", "xz": "xz"} {
		cmd := exec.Command(lab.NeedProgram(t, name), "-c")
		cmd.Stdin = bytes.NewReader(text)
		var err error
		if all[suffix], err = cmd.Output(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// Whatever the form of a log, and however it is rotated and packed, the report is the same.
func TestForms(t *testing.T) {
	lines := weekLines(t)
	text := strings.Join(lines, "\n") + "\n"
	want := textOf(t, readLogs(t, putWeek(t)))
	all := forms(lines)
	for name, packed := range packed(t, []byte(text)) {
		all[name] = packed
	}
	for name, form := range all {
		log := put(t, filepath.Join(t.TempDir(), "mail.log"), form, weekEnd)
		if got := textOf(t, readLogs(t, log)); got != want {
			t.Errorf("%s:\n%s", name, got)
		}
	}

	// Rotated: the newest is plain, and the names are in the shell's order. One is named twice.
	dir := t.TempDir()
	third := len(lines) / 3
	part := func(from, to int) []byte { return []byte(strings.Join(lines[from:to], "\n") + "\n") }
	at := func(line int) time.Time {
		stamp, _ := time.Parse(time.Stamp, lines[line][:15])
		return stamp.AddDate(2026+int(1-min(1, stamp.Month()/12)), 0, 0)
	}
	names := []string{
		put(t, filepath.Join(dir, "mail.log"), part(2*third, len(lines)), weekEnd),
		put(t, filepath.Join(dir, "mail.log.1"), packed(t, part(third, 2*third))["zst"],
			at(2*third-1)),
		put(t, filepath.Join(dir, "mail.log.2.gz"), packed(t, part(0, third))["gz"], at(third-1)),
	}
	r := readLogs(t, append(names, names[1])...)
	if !slices.Equal(r.Logs, []string{names[2], names[1], names[0]}) {
		t.Errorf("read: %q", r.Logs)
	}
	if got := textOf(t, r); got != want {
		t.Errorf("rotated:\n%s", got)
	}

	// Nobody names a log: the machine's, with those before it. A file beside it is none.
	put(t, filepath.Join(dir, "mail.log.old"), []byte(text), weekEnd)
	o := Options{Sources: named(), Since: at(0)}
	o.MailLog = names[0]
	found, err := Read(o)
	if err != nil || found.Lines != readLogs(t, names...).Lines {
		t.Errorf("%v: %d lines", err, found.Lines)
	}
	o.Since = time.Time{}
	o.Now = weekEnd.Add(-time.Hour)
	if found, err = Read(o); err != nil || found.Until.Sub(found.From) != day || found.Lines < 50 {
		t.Errorf("%v: %d lines in %v", err, found.Lines, found.Until.Sub(found.From))
	}
}
