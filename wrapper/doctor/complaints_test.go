package doctor

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// sendwrap(8) has the table of complaints: key, severity, what follows, and whether check looks for
// it.
func TestTableOfComplaints(t *testing.T) {
	text, err := os.ReadFile("../../docs/sendwrap.8")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n.Sh FINDINGS\n")
	section, _, _ = strings.Cut(section, "\n.Sh ")
	var want []string
	for _, c := range complaints() {
		check := ""
		if c.quick {
			check = " *"
		}
		want = append(want, fmt.Sprintf("%s, %v%s: %s", c.key, c.severity, check, c.then))
	}
	var got []string
	row := regexp.MustCompile(`(?m)^\.It Cm (\w+) Pq ([a-z ]+)( \*)?\n((?:[^.\n].*\n?)+)`)
	for _, m := range row.FindAllStringSubmatch(section, -1) {
		then := strings.TrimSuffix(strings.Join(strings.Fields(m[4]), " "), ".")
		got = append(got, fmt.Sprintf("%s, %s%s: %s", m[1], m[2], m[3], then))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("sendwrap(8) has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A finding is one line for check, and the worst comes first.
func TestLinesOfFindings(t *testing.T) {
	s := site(t, "mta /no/such/mta\n", inetd("25 stream tcp nowait root "+sendwrap+" sendwrap"))
	all := s.Findings(true)
	for i := range all {
		if i > 0 && all[i].Severity > all[i-1].Severity {
			t.Errorf("%v comes after %v", &all[i], &all[i-1])
		}
		if f := all[i]; f.Key == "mta" {
			t.Errorf("check has this already: %v", &f)
		}
	}
	const want = "refuses honest mail: /etc/inetd.conf:2: nowait without a number, so 256 starts " +
		"in a minute, and then inetd closes the port for ten minutes: a flood, or one client, " +
		"shuts the port for all; write nowait.60000, and restart inetd"
	if len(all) == 0 || all[0].String() != want {
		t.Errorf("got %q; want %q", all, want)
	}
}
