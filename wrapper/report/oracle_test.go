package report

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// weekVerdict is how the oracle reads a line, which shares nothing with the parser.
var weekVerdict = regexp.MustCompile(`^(\w+ [ 0-9]\d \d\d):\d\d:\d\d mx sendwrap\[\d+\]: ` +
	`([A-Z]+) client=\[([0-9a-f.:]+)\]:\d+( server=)?(.*)$`)

// oracle counts the week by regular expressions.
type oracle struct {
	verdicts, hours, addresses, networks, kinds, lists, conns, rates, bad map[string]int
}

func ask(lines []string) (o oracle) {
	for _, count := range []*map[string]int{&o.verdicts, &o.hours, &o.addresses, &o.networks,
		&o.kinds, &o.lists, &o.conns, &o.rates, &o.bad} {
		*count = map[string]int{}
	}
	kind := regexp.MustCompile(` kind=([a-z]+) bytes=\d+ data="`)
	lists := regexp.MustCompile(` score=\S+ lists=(\S+)`)
	network := regexp.MustCompile(` network=(\S+?)(/32)? `)
	bad := regexp.MustCompile(` bad=(\d+)/`)
	for _, line := range lines {
		m := weekVerdict.FindStringSubmatch(line)
		if m == nil || m[2] == "ENDED" || m[2] == "IDLE" || m[2] == "SENT" {
			continue
		}
		o.verdicts[m[2]]++
		o.hours[m[1]+" "+m[2]]++
		switch m[2] {
		case "ALLOWED", "PASS", "KNOWN", "HANGUP":
		default:
			key, wide := m[3], regexp.MustCompile(`\d+$`).ReplaceAllString(m[3], "0/24")
			if groups := strings.Split(key, ":"); len(groups) > 4 { // as each of the week has
				wide = strings.Join(groups[:3], ":") + "::/48"
				key = strings.Replace(strings.Join(groups[:4], ":")+"::/64", ":0::/64", "::/64", 1)
			}
			o.addresses[key]++
			o.networks[wide]++
			if n := network.FindStringSubmatch(m[5] + " "); n != nil {
				key = n[1]
			}
			switch m[2] {
			case "CONNS":
				o.conns[key]++
			case "RATE":
				o.rates[key]++
			case "BADRCPTS":
				n, _ := strconv.Atoi(bad.FindStringSubmatch(m[5])[1])
				o.bad[key] += n
			}
		}
		if k := kind.FindStringSubmatch(m[5]); k != nil {
			o.kinds[k[1]]++
		}
		if l := lists.FindStringSubmatch(m[5]); l != nil {
			for hit := range strings.SplitSeq(l[1], ",") {
				o.lists[strings.Split(hit, ":")[0]]++
			}
		}
	}
	return o
}

// counted is a list, and what the oracle has counted.
type counted struct {
	name string
	got  []Count
	want map[string]int
}

// check says whether the list has those that come most, each with its count.
func (list *counted) check(t *testing.T) {
	t.Helper()
	least := 1 << 30
	for _, c := range list.got {
		if c.Count != list.want[c.Key] || c.More != 0 {
			t.Errorf("%s: %s came %d times, or %d more; want %d", list.name, c.Key, c.Count,
				c.More, list.want[c.Key])
		}
		least = min(least, c.Count)
	}
	if len(list.got) == 0 || len(list.got) != min(maxListed, len(list.want)) {
		t.Errorf("%s: %d rows of %d", list.name, len(list.got), len(list.want))
	}
	larger := 0
	for _, n := range list.want {
		if n > least {
			larger++
		}
	}
	if larger > len(list.got) {
		t.Errorf("%s: %d come more often than the last of %d rows", list.name, larger,
			len(list.got))
	}
}

// checkHours compares the rows by hour or day; a row is the hours that begin so.
func (o *oracle) checkHours(t *testing.T, r *Report, form string) {
	t.Helper()
	for _, h := range r.Hours {
		want := map[string]int{}
		for key, n := range o.hours {
			if strings.HasPrefix(key, h.Start.Format(form)) {
				want[strings.Fields(key)[3]] += n
			}
		}
		if !reflect.DeepEqual(h.Counts, want) {
			t.Errorf("%v: %v; want %v", h.Start, h.Counts, want)
		}
	}
}

func TestCountsAgainstOracle(t *testing.T) {
	o, r := ask(weekLines(t)), readLogs(t, putWeek(t))
	verdicts := map[string]int{}
	for _, f := range r.Verdicts {
		verdicts[f.Verdict] = f.Count
	}
	if !reflect.DeepEqual(verdicts, o.verdicts) {
		t.Errorf("verdicts %v; want %v", verdicts, o.verdicts)
	}
	for _, list := range []counted{
		{"addresses", r.Addresses, o.addresses}, {"networks", r.Networks, o.networks},
		{"kinds", r.Kinds, o.kinds}, {"lists", r.Lists, o.lists}, {"conns", r.Conns, o.conns},
		{"rates", r.Rates, o.rates}, {"bad recipients", r.BadRcpts, o.bad},
	} {
		list.check(t)
	}
	// By day: the hours of the oracle, put together.
	if r.HourLength != 24 || len(r.Hours) != 7 {
		t.Fatalf("%d rows of %d h; want 7 days", len(r.Hours), r.HourLength)
	}
	o.checkHours(t, r, "Jan _2 ")
	if first, last := r.Hours[0].Start.Year(), r.Hours[6].Start.Year(); first != 2026 ||
		last != 2027 {
		t.Errorf("from %d to %d; the week goes over the end of 2026", first, last)
	}
}
