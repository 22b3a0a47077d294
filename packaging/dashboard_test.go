package packaging

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"sendwrap/wrapper/decide"
)

// target is what a panel of the dashboard shows.
type target struct{ Expr, LegendFormat string }

func dashboard(t *testing.T) (all []target) {
	t.Helper()
	var board struct{ Panels []struct{ Targets []target } }
	if err := json.Unmarshal([]byte(read(t, "grafana/sendwrap.json")), &board); err != nil {
		t.Fatal(err)
	}
	for _, p := range board.Panels {
		all = append(all, p.Targets...)
	}
	if len(all) < 10 {
		t.Fatalf("%d expressions", len(all))
	}
	return all
}

// scrapeText is the text of a scrape: the values of each label of each metric.
type scrapeText map[string]map[string][]string

func readScrape(text string) scrapeText {
	s := scrapeText{}
	label := regexp.MustCompile(`(\w+)="([^"]*)"`)
	for _, m := range regexp.MustCompile(`(?m)^(\w+)(\{.*\})? `).FindAllStringSubmatch(text, -1) {
		if s[m[1]] == nil {
			s[m[1]] = map[string][]string{"instance": nil} // which Prometheus adds
		}
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			s[m[1]][l[1]] = append(s[m[1]][l[1]], l[2])
		}
	}
	return s
}

// checkSelectors checks that a scrape has each metric that the dashboard and the rules name, each
// label, and a series for each value of it.
func checkSelectors(t *testing.T, text string) {
	t.Helper()
	s := readScrape(text)
	for _, target := range dashboard(t) {
		s.check(t, target.Expr, target.LegendFormat)
	}
	rules := regexp.MustCompile(`(?s)expr: (.*?)\n *(?:for|labels):(.*?)(?:- alert|$)`)
	all := rules.FindAllStringSubmatch(read(t, "prometheus-rules.yml"), -1)
	if len(all) < 8 {
		t.Fatalf("%d rules", len(all))
	}
	for _, rule := range all {
		s.check(t, rule[1], rule[2])
	}
}

// The share of clients that are refused: each client counts once, by what was decided at the door.
func TestDashboardShare(t *testing.T) {
	without := regexp.MustCompile(`verdict!~"([^"]*)"`)
	expr := dashboard(t)[0].Expr
	parts := without.FindAllStringSubmatch(expr, -1)
	if len(parts) != 2 || !strings.Contains(expr, ") / sum(") {
		t.Fatalf("not a part and the whole: %s", expr)
	}
	for _, v := range decide.Verdicts() {
		excluded := func(i int) bool {
			return regexp.MustCompile("^(?:" + parts[i][1] + ")$").MatchString(v.String())
		}
		if refused := v.Refuses() && !v.OfGuard(); excluded(0) == refused ||
			excluded(1) != v.OfGuard() {
			t.Errorf("%v: out of the part %v, of the whole %v", v, excluded(0), excluded(1))
		}
	}
}

var (
	selector = regexp.MustCompile(`(sendwrap_\w+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`(\w+)(?:=|!=|=~|!~)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|on) \(([^)]*)\)`)
	legend   = regexp.MustCompile(`\{\{ ?(?:\$labels\.)?(\w+) ?\}\}`)
)

// check checks an expression, and the labels that a text takes from what comes of it.
func (s scrapeText) check(t *testing.T, expr, text string) {
	t.Helper()
	for _, selected := range selector.FindAllStringSubmatch(expr, -1) {
		labels, found := s[selected[1]]
		if !found {
			t.Errorf("no %s in a scrape", selected[1])
			continue
		}
		for _, m := range matcher.FindAllStringSubmatch(selected[2], -1) {
			for value := range strings.SplitSeq(m[2], "|") {
				wanted := regexp.MustCompile("(?m)^(?:" + value + ")$")
				if m[1] != "instance" && !wanted.MatchString(strings.Join(labels[m[1]], "\n")) {
					t.Errorf("no %s{%s=%q} in a scrape", selected[1], m[1], value)
				}
			}
		}
		used := legend.FindAllStringSubmatch(text, -1)
		for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
			for name := range strings.SplitSeq(g[1], ", ") {
				used = append(used, []string{"", name})
			}
		}
		for _, name := range used {
			if _, found := labels[name[1]]; !found {
				t.Errorf("%s: %s has no label %s", expr, selected[1], name[1])
			}
		}
	}
}
