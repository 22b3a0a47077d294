package report

import (
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// weekVerdict is how the oracle reads a line, which shares nothing with the parser.
var weekVerdict = regexp.MustCompile(`^(\w+ [ 0-9]\d \d\d):\d\d:\d\d mx sendwrap\[\d+\]: ` +
	`([A-Z]+) client=\[([0-9a-f.:]+)\]:\d+( server=)?(.*)$`)

// oracle counts the week by regular expressions.
type oracle struct {
	verdicts, hours, addresses, networks, kinds, lists, conns, rates map[string]int
	bad, open, ended                                                 map[string]int
}

func ask(lines []string) (o oracle) {
	for _, count := range []*map[string]int{&o.verdicts, &o.hours, &o.addresses, &o.networks,
		&o.kinds, &o.lists, &o.conns, &o.rates, &o.bad, &o.open, &o.ended} {
		*count = map[string]int{}
	}
	kind := regexp.MustCompile(` kind=([a-z]+) bytes=\d+ data="`)
	lists := regexp.MustCompile(` score=\S+ lists=(\S+)`)
	network := regexp.MustCompile(` network=(\S+?)(/32)? `)
	bad := regexp.MustCompile(` bad=(\d+)/`)
	open := regexp.MustCompile(` open=(\w+)`)
	after := regexp.MustCompile(` after=(\S+)`)
	for _, line := range lines {
		m := weekVerdict.FindStringSubmatch(line)
		if m != nil && m[2] == "ENDED" {
			switch d, _ := time.ParseDuration(after.FindStringSubmatch(line)[1]); {
			case d < 10*time.Second:
				o.ended["below 10s"]++
			case d < time.Minute:
				o.ended["below 1m"]++
			default: // none of the week is longer
				o.ended["below 5m"]++
			}
		}
		if m == nil || m[2] == "ENDED" || m[2] == "IDLE" || m[2] == "SENT" {
			continue
		}
		o.verdicts[m[2]]++
		o.hours[m[1]+" "+m[2]]++
		switch m[2] {
		case "ALLOWED", "PASS", "KNOWN", "HANGUP":
		default:
			addr := netip.MustParseAddr(m[3])
			key, bits := m[3], 24
			if addr.Is6() {
				narrow, _ := addr.Prefix(64)
				key, bits = narrow.String(), 48
			}
			wide, _ := addr.Prefix(bits)
			o.addresses[key]++
			o.networks[wide.String()]++
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
		if cause := open.FindStringSubmatch(m[5]); cause != nil {
			o.open[cause[1]]++
		}
		if l := lists.FindStringSubmatch(m[5]); l != nil {
			for hit := range strings.SplitSeq(l[1], ",") {
				o.lists[strings.Split(hit, ":")[0]]++
			}
		}
	}
	return o
}

// tally is a list, what the oracle has tally, and how many rows the list has at most.
type tally struct {
	name string
	got  []Count
	want map[string]int
	most int
}

// check says whether the list has those that come most, each with its count.
func (list *tally) check(t *testing.T) {
	t.Helper()
	least := 1 << 30
	for _, c := range list.got {
		if c.Count != list.want[c.Key] || c.More != 0 {
			t.Errorf("%s: %s came %d times, or %d more; want %d", list.name, c.Key, c.Count,
				c.More, list.want[c.Key])
		}
		least = min(least, c.Count)
	}
	if len(list.got) == 0 || len(list.got) != min(list.most, len(list.want)) {
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
	for _, list := range []tally{
		{"addresses", r.Addresses, o.addresses, maxOffenders},
		{"networks", r.Networks, o.networks, maxOffenders},
		{"kinds", r.Kinds, o.kinds, maxListed}, {"lists", r.Lists, o.lists, maxListed},
		{"conns", r.Conns, o.conns, maxListed}, {"rates", r.Rates, o.rates, maxListed},
		{"bad recipients", r.BadRcpts, o.bad, maxListed},
		{"open", r.Trouble.Open, o.open, maxListed},
		{"sessions", r.Sessions, o.ended, maxListed},
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

// The blocks that have begun, and the longest waits, by regular expressions.
func TestBlocksAndWaitsAgainstOracle(t *testing.T) {
	r, want, sums := readLogs(t, putWeek(t)), Blocks{}, []float64{}
	begins := regexp.MustCompile(`\]: ([A-Z]+) .* (left|for)=`)
	from := regexp.MustCompile(` from=\S+$`)
	wait := regexp.MustCompile(`\]: (PASS|KNOWN|ALLOWED|DNSWL) .* wait=([^/]*)/\S+( turn=(\S+))?`)
	for _, line := range weekLines(t) {
		line, _, _ = strings.Cut(line, ` data="`) // what follows there is the client's
		if m := begins.FindStringSubmatch(line); m != nil && m[1] != "BLOCKED" {
			want.New++
			switch {
			case m[1] == "BLOCK" && from.MatchString(line):
				want.Elsewhere++
			case m[1] == "BLOCK":
				want.ByHand++
			}
		}
		if m := wait.FindStringSubmatch(line); m != nil {
			waited, _ := time.ParseDuration(m[2])
			turn, _ := time.ParseDuration(m[4])
			sums = append(sums, (waited + turn).Seconds())
		}
	}
	if got := r.Blocks; got.New != want.New || got.ByHand != want.ByHand ||
		got.Elsewhere != want.Elsewhere || got.New == 0 || got.Elsewhere == 0 {
		t.Errorf("%d, %d, %d blocks; want %+v", got.New, got.ByHand, got.Elsewhere, want)
	}
	slices.Sort(sums)
	slices.Reverse(sums)
	for i, w := range r.Waits {
		if w.Seconds != sums[i] {
			t.Errorf("wait %d is %v; want %v", i, w.Seconds, sums[i])
		}
	}
	if len(r.Waits) < 10 || sums[len(r.Waits)] > r.Delay.Common {
		t.Errorf("%d waits", len(r.Waits))
	}
}
