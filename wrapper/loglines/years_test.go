package loglines

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// put writes a log that was last changed then.
func put(t testing.TB, text []byte, changed time.Time) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, changed, changed); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestYears(t *testing.T) {
	at := func(text string, year int) string { return fmt.Sprint(year, " ", text) }
	for _, tt := range []struct {
		name    string
		changed time.Time
		zone    string
		lines   []string // with the year that is meant
	}{
		{"over the end", time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC), "UTC", []string{
			at("Dec 30 10:00:00", 2026), at("Dec 31 23:59:59", 2026), at("Jan  1 00:00:00", 2027),
			at("Jan  2 10:00:00", 2027)}},
		{"the clock goes back", time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC), "UTC", []string{
			at("Dec 31 23:59:59", 2026), at("Jan  1 00:00:05", 2027), at("Dec 31 23:58:00", 2026),
			at("Jan  1 00:01:00", 2027), at("Dec 20 00:01:00", 2026)}},
		{"a rotated log of last year", time.Date(2025, 12, 31, 0, 0, 0, 0, time.UTC), "UTC",
			[]string{at("Dec 30 10:00:00", 2025), at("Dec 31 00:00:00", 2025)}},
		{"three years", time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC), "UTC", []string{
			at("Nov  1 10:00:00", 2024), at("Feb  1 10:00:00", 2025), at("Jul  1 10:00:00", 2025),
			at("Nov 30 10:00:00", 2025), at("Mar  1 10:00:00", 2026), at("Oct  1 10:00:00", 2026),
			at("Jan 31 23:00:00", 2027)}},
		{"a leap day", time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC), "UTC",
			[]string{at("Feb 29 10:00:00", 2028)}},
		{"a day ahead", time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC), "UTC",
			[]string{at("Jan  1 10:00:00", 2027)}},
		{"two days ahead", time.Date(2026, 12, 30, 23, 0, 0, 0, time.UTC), "UTC",
			[]string{at("Jan  1 23:30:00", 2026)}},
		{"summer time", time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC), "Europe/Berlin", []string{
			at("Mar 29 01:59:59", 2026), at("Mar 29 03:00:00", 2026), at("Oct 25 02:30:00", 2026),
			at("Oct 25 02:10:00", 2026), at("Oct 25 03:00:00", 2026)}},
	} {
		zone, err := time.LoadLocation(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, line := range tt.lines {
			text += line[5:] + " mx sendwrap[1]: " + pass + "\n"
		}
		s, _, err := openLog(put(t, []byte(text), tt.changed))
		if err != nil {
			t.Fatal(err)
		}
		y := years{zone: zone, changed: s.changed}
		y.start(&s)
		s.from.Close()
		for _, line := range tt.lines {
			stamp, ok := parseStamp(line[5:])
			want, _ := time.ParseInLocation("2006 Jan _2 15:04:05", line, zone)
			if got := y.time(stamp); !ok || !got.Equal(want) {
				t.Errorf("%s: %s is %v", tt.name, line, got)
			}
		}
	}
}

// A long log is looked at in parts only.
func TestYearsOfLongLog(t *testing.T) {
	var text bytes.Buffer
	begin := time.Date(2023, 5, 1, 0, 0, 0, 0, time.UTC)
	end := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	for at := begin; at.Before(end); at = at.Add(time.Hour) {
		fmt.Fprintf(&text, "%s mx sendwrap[1]: %s\n", at.Format(time.Stamp), pass)
	}
	log := put(t, text.Bytes(), end)
	o, first := Sources{Logs: []string{log}, Now: end, Zone: time.UTC}, time.Time{}
	_, err := o.Read(begin, func(l *Line) {
		if first.IsZero() {
			first = l.Time
		}
	})
	if err != nil || !first.Equal(begin) || text.Len() < 2*chunk*maxChunks {
		t.Errorf("%v: from %v, %d bytes", err, first, text.Len())
	}
}
