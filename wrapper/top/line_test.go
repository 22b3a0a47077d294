package top

import (
	"bytes"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
)

// No text can move the cursor, and without UTF-8 all is ASCII. A warning has three lines at most.
func TestLines(t *testing.T) {
	all := line{{"é\u202e\x1b\u0085x", plain}}
	if utf, ascii := all.cut(9, false).String(), all.cut(9, true).String(); utf != "é???x" ||
		ascii != "????x" {
		t.Errorf("%q and %q", utf, ascii)
	}
	if got := textOf(wrapped(strings.Repeat("1234567", 9), 7)); got !=
		strings.Repeat("1234567\n", 3) {
		t.Errorf("%q", got)
	}
}

// The chosen line is on the screen wherever it is in its table, and only that is marked.
func TestChosenLine(t *testing.T) {
	p := lookOfMade(t)
	for cursor, row := range p.tables[ofCome].rows {
		for _, height := range []int{7, 12, 24} {
			var marked []string
			for _, l := range p.frame(nil, &view{cursor: cursor}, 80, height) {
				if len(l) > 0 && l[0].style == chosen {
					marked = append(marked, l.String())
				}
			}
			if len(marked) != 1 || !strings.HasPrefix(marked[0], row.network.String()+" ") {
				t.Errorf("line %d of %d rows: %q", cursor, height, marked)
			}
		}
	}
}

// The first of the variables that is set decides, as setlocale(3) has it.
func TestLocale(t *testing.T) {
	for _, tt := range []struct {
		all, ctype, lang string
		ascii            bool
	}{
		{"", "", "", true}, {"", "", "C.UTF-8", false}, {"", "", "de_DE.utf8", false},
		{"", "C", "C.UTF-8", true}, {"C", "C.UTF-8", "C.UTF-8", true},
		{"en_GB.UTF-8", "C", "C", false},
	} {
		t.Setenv("LC_ALL", tt.all)
		t.Setenv("LC_CTYPE", tt.ctype)
		t.Setenv("LANG", tt.lang)
		if isASCII() != tt.ascii {
			t.Errorf("%+v: ASCII %v", tt, isASCII())
		}
	}
}

// One frame has the verdicts of the last hour before those of all time.
func TestHour(t *testing.T) {
	p := lookOfMade(t)
	p.Totals.Recent.Verdicts[decide.Pass], p.Totals.Verdicts[decide.Pass] = 5, 1234
	var out bytes.Buffer
	if err := p.writeText(&out, true); err != nil || !strings.Contains(out.String(),
		"\nPASS                  5        1234\n") {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// A rate has five characters, and a flood of some thousands a second is not rounded to thousands.
func TestRateText(t *testing.T) {
	for r, want := range map[float64]string{0: " 0.00", 9.994: " 9.99", 9.996: " 10.0",
		999.94: "999.9", 999.96: " 1000", 1499: " 1499", 99999: "99999", 123456: " 123k"} {
		if got := rateText(r); got != want {
			t.Errorf("%v: %q; want %q", r, got, want)
		}
	}
}
