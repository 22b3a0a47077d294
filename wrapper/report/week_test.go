package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/loglines"
)

var update = flag.Bool("update", false, "write testdata/week.txt")

// weekEnd is after the last line of testdata/week.log, which TestWeek of wrapper writes.
var weekEnd = time.Date(2027, 1, 4, 0, 30, 0, 0, time.UTC)

func weekLines(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/week.log")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// put writes a log that was last changed then.
func put(t testing.TB, name string, text []byte, changed time.Time) string {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, changed, changed); err != nil {
		t.Fatal(err)
	}
	return name
}

// putWeek writes the week's log as a file of that time.
func putWeek(t testing.TB) string {
	t.Helper()
	text := strings.Join(weekLines(t), "\n") + "\n"
	return put(t, filepath.Join(t.TempDir(), "mail.log"), []byte(text), weekEnd)
}

// named are logs that are read when the week is over.
func named(logs ...string) loglines.Sources {
	return loglines.Sources{Logs: logs, Now: weekEnd, Zone: time.UTC}
}

func readLogs(t testing.TB, logs ...string) *Report {
	t.Helper()
	r, err := Read(Options{Sources: named(logs...)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// textOf is the text as if all had been read from one file.
func textOf(t testing.TB, r *Report) string {
	t.Helper()
	if len(r.Logs) > 0 {
		r.Logs = []string{"mail.log"}
	}
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestText(t *testing.T) {
	got := textOf(t, readLogs(t, putWeek(t)))
	const golden = "testdata/week.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("run with -update, and look at what changes:\n%s", got)
	}
	summary, _, _ := strings.Cut(got, "\n\nrefused and served")
	if n := strings.Count(summary, "\n"); n > 16 {
		t.Errorf("the summary has %d lines", n)
	}
	for line := range strings.Lines(got) {
		if len(line) > maxColumns+1 || line != strings.TrimRight(line, " \n")+"\n" {
			t.Errorf("too long, or with blanks at its end: %q", line)
		}
	}
}

// A time before the log's end: nothing before it is counted but for comparison.
func TestSince(t *testing.T) {
	lines := weekLines(t)
	since := time.Date(2027, 1, 2, 10, 0, 0, 0, time.UTC)
	r, err := Read(Options{Sources: named(putWeek(t)), Since: since})
	if err != nil {
		t.Fatal(err)
	}
	o := ask(slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return line[:13] < "Jan  2 10" || line[:3] == "Dec"
	}))
	for _, f := range r.Verdicts {
		if o.verdicts[f.Verdict] != f.Count {
			t.Errorf("%s: %d; want %d", f.Verdict, f.Count, o.verdicts[f.Verdict])
		}
	}
	if r.HourLength != 1 {
		t.Errorf("%d h in a row", r.HourLength)
	}
	o.checkHours(t, r, "Jan _2 15 ")
	if r.Changes == nil || !r.Changes.Until.Equal(weekEnd.Truncate(time.Hour)) {
		t.Fatalf("%+v", r.Changes)
	}
	for _, c := range r.Changes.Verdicts {
		last, before := 0, 0
		for key, n := range ask(lines).hours {
			switch word := strings.Fields(key)[3]; {
			case word != c.Verdict:
			case strings.HasPrefix(key, "Jan  3"):
				last += n
			case strings.HasPrefix(key, "Jan  2"):
				before += n
			}
		}
		if c.Last != last || c.Before != before {
			t.Errorf("%+v; want %d, %d", c, last, before)
		}
	}
	for _, since := range []time.Duration{time.Hour, 9 * day} { // the days are the same
		other, err := Read(Options{Sources: named(putWeek(t)), Since: weekEnd.Add(-since)})
		if err != nil || !reflect.DeepEqual(other.Changes, r.Changes) {
			t.Errorf("since %v: %v, %+v; want %+v", since, err, other.Changes, r.Changes)
		}
	}
}

// Of the hour in which the time begins, only what follows counts; the day before has all of it.
func TestSinceSecond(t *testing.T) {
	const line = " mx sendwrap[1]: PASS client=[192.0.2.1]:5 server=[::1]:25\n"
	log := ""
	for at := weekEnd.Add(-3 * day); at.Before(weekEnd); at = at.Add(10 * time.Minute) {
		log += at.Format(time.RFC3339) + line
	}
	since := weekEnd.Add(-day).Truncate(time.Hour).Add(20*time.Minute + time.Second)
	o := Options{Sources: named("-"), Since: since}
	o.Stdin = strings.NewReader(log)
	r, err := Read(o)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, h := range r.Hours {
		sum += h.Counts["PASS"]
	}
	if first := r.Hours[0].Counts["PASS"]; first != 3 || sum != r.Connections {
		t.Errorf("%d in the first hour, %d in all; want 3, %d", first, sum, r.Connections)
	}
	if c := r.Changes.Verdicts; len(c) != 1 || c[0].Last != 144 || c[0].Before != 144 {
		t.Errorf("%+v", c)
	}
}

// What the week's log says of clients of which the test knows it.
func TestMistakes(t *testing.T) {
	r := readLogs(t, putWeek(t))
	if len(r.Mistakes) == 0 {
		t.Fatal("none")
	}
	m := r.Mistakes[0]
	known, refused := 0, 0
	for _, line := range weekLines(t) {
		if strings.Contains(line, "client=[198.51.100.77]") {
			if strings.Contains(line, ": KNOWN ") {
				known++
			} else if strings.Contains(line, ": PREGREET ") {
				refused++
			}
		}
	}
	if m.Network.String() != "198.51.100.77/32" || m.Known != known || m.Refused != refused ||
		m.Kind != "pipelined" || m.Verdict != "PREGREET" || refused == 0 {
		t.Errorf("%+v; want %d times known, %d times refused", m, known, refused)
	}
	if len(r.Advice) == 0 || r.Advice[0].Line != "allow 198.51.100.77" {
		t.Errorf("%+v", r.Advice)
	}
	for _, m := range r.Mistakes {
		if m.Network.Addr().String() == "192.0.2.10" { // never refused
			t.Errorf("%+v", m)
		}
	}
}
