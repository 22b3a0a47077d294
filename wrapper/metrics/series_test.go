package metrics

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
)

// There are fewer than 200 series, however many lists, machines and clients there are, and none is
// of an address. What lists and machines without series of their own have done is in their sum.
// sendwrap(8) has all names.
func TestCardinality(t *testing.T) {
	lines := ""
	for i := range ledger.MaxLists {
		lines += fmt.Sprintf("dnsbl list%d.example as=list%d\n", i, i)
	}
	s, h := newSite(t, lines+"resolver 127.0.0.1\n")
	for i := range ledger.MaxLists {
		if err := h.Run(func(tx *ledger.Tx) {
			answer := ledger.NotListed
			if i > 20 {
				answer = ledger.Listed
			}
			tx.CountList(fmt.Sprintf("list%d.example", i), answer, 1000)
			tx.Count(i)
		}); err != nil {
			t.Fatal(err)
		}
	}
	const machines = 124 // the ledger has no more
	for i := range machines {
		if err := h.Run(func(tx *ledger.Tx) {
			tx.Share("mx0", 1)
			tx.From(fmt.Sprintf("mx%d", i+1))
			tx.CountOrigin(i%2 == 0)
		}); err != nil {
			t.Fatal(err)
		}
	}
	h.RegisterRoom(ledger.Self(), "1.0")
	h.Ledger.NoteConfigured(ledger.Self(), time.Now())
	all := text(t, s)
	series := 0
	for line := range strings.Lines(all) {
		if !strings.HasPrefix(line, "#") {
			series++
		}
	}
	if series >= 200 {
		t.Errorf("%d series", series)
	}
	for series, want := range map[string]string{
		`sendwrap_list_asked_total{list="list15"}`:    "1",
		`sendwrap_list_asked_total{list="list16"}`:    "",
		`sendwrap_list_asked_total{list="(others)"}`:  "16",
		`sendwrap_list_listed_total{list="(others)"}`: "11",

		`sendwrap_share_events_total{machine="mx8",result="refused"}`:      "1",
		`sendwrap_share_events_total{machine="mx9",result="refused"}`:      "",
		`sendwrap_share_events_total{machine="(others)",result="applied"}`: "58",
		`sendwrap_share_events_total{machine="(others)",result="refused"}`: "58",
	} {
		if got := value(all, series); got != want {
			t.Errorf("%s is %q; want %q", series, got, want)
		}
	}
	checkNames(t, all)
	if found := regexp.MustCompile(`="[0-9a-f:.]*[.:][0-9a-f]+`).FindString(
		regexp.MustCompile(`(version|le)="[^"]*"`).ReplaceAllString(all, "")); found != "" {
		t.Errorf("%s looks like an address", found)
	}
}

// checkNames looks up in sendwrap(8) the names of all metrics.
func checkNames(t *testing.T, all string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/sendwrap.8")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "\n.Sh METRICS\n")
	text, _, _ = strings.Cut(text, "\n.Sh ")
	names := regexp.MustCompile(`(?m)^# TYPE sendwrap_(\w+)`).FindAllStringSubmatch(all, -1)
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^\.It (.* )?` + name[1] + `([{ ]|$)`).MatchString(text) {
			t.Errorf("sendwrap(8), METRICS, has no %s", name[1])
		}
	}
	if len(names) < 30 {
		t.Errorf("%d names: the test proves nothing", len(names))
	}
}
