package report

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/decide"
)

func TestFrequent(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var got frequent[int]
	exact := map[int]int{}
	for range 300_000 {
		key := r.IntN(100_000)
		if r.IntN(3) == 0 {
			key = int(r.ExpFloat64() * 5)
		}
		n := 1 + r.IntN(3)
		exact[key] += n
		got.add(key, n, uint8(decide.Busy))
	}
	if len(got.cells) != maxKeys || len(got.index) != maxKeys {
		t.Fatalf("%d, %d", len(got.cells), len(got.index))
	}
	for i, c := range got.cells {
		if c.at != i || got.index[c.key] != c || i > 0 && got.cells[(i-1)/2].count > c.count {
			t.Fatalf("cell %d is in a wrong place", i)
		}
		if n := exact[c.key]; n > c.count || n < c.sure() {
			t.Errorf("%d came %d times; %d to %d are said", c.key, n, c.sure(), c.count)
		}
	}
	for i, c := range got.list(10, func(k int) string { return fmt.Sprint(k) }) {
		if c.Count+c.More < exact[i] || c.Count > exact[i] || c.Key != fmt.Sprint(i) ||
			c.Last != "BUSY" {
			t.Errorf("place %d: %+v; want %d, %d times", i, c, i, exact[i])
		}
	}
}

func TestDelayCurve(t *testing.T) {
	second := time.Second
	for _, tt := range []struct {
		name    string
		add     func(d *delays)
		spoke   int
		percent float64 // by 2 s
		suggest float64
		why     string
	}{
		{"few", func(d *delays) { d.add(decide.Pregreet, second/2, 6*second) }, 1, 100, 0,
			"too few"},
		{"by 2 s", func(d *delays) {
			for range 98 {
				d.add(decide.Pregreet, 3*second/2, 35*second)
			}
			d.add(decide.Pregreet, 20*second, 35*second)
			d.add(decide.Hangup, 30*second, 35*second)
			for range 50 { // they had less time: nobody knows what they would have done
				d.add(decide.Pass, 6*second, 6*second)
				d.add(decide.Pregreet, 5*second, 6*second)
			}
		}, 99, 98, 2, "2s catches 98 % of what 35s does"},
		{"still at the end", func(d *delays) {
			for i := range 100 {
				d.add(decide.Pregreet, time.Duration(i)*second/17, 6*second)
			}
		}, 100, 34, 0, "observe with a longer delay"},
		{"right already", func(d *delays) {
			for range 100 {
				d.add(decide.Pregreet, second/2, second*4)
				d.add(decide.Pass, second, second)
				d.add(decide.Pass, second, second)
			}
		}, 100, 100, 0, "1s is right"},
		{"a rare delay does not count", func(d *delays) {
			for range 100 {
				d.add(decide.Pregreet, second/2, 6*second)
			}
			d.add(decide.Pregreet, 100*second, 200*second)
		}, 100, 100, 1, "1s catches 100 % of what 6s does"},
	} {
		var d delays
		tt.add(&d)
		f := d.fact()
		if s := f.at(2); f.Spoke != tt.spoke || fmt.Sprintf("%.3f", s.Percent) !=
			fmt.Sprintf("%.3f", tt.percent) || f.Suggest != tt.suggest ||
			!strings.Contains(f.Why, tt.why) {
			t.Errorf("%s: %+v by 2 s; %d spoke, %v, %q", tt.name, s, f.Spoke, f.Suggest, f.Why)
		}
	}
}

func TestOrigins(t *testing.T) {
	const prefixes = "# comment\n10.0.0.0/8 1 One Inc\n10.1.0.0/16 AS2 Two\n10.1.2.0/24 3\n" +
		"10.255.0.0/16 4 Four\n2001:db8::/32 5 Five\n255.255.255.255/32 6\n0.0.0.0/8 0\n"
	const ranges = "10.0.0.0\t10.0.255.255\t1\tXX\tOne Inc\n10.1.0.0\t10.1.1.255\t2\tXX\tTwo\n" +
		"10.1.2.0\t10.1.2.255\t3\tXX\t\n10.1.3.0\t10.1.255.255\t2\tXX\tTwo\n" +
		"10.2.0.0\t10.254.255.255\t1\tXX\tOne Inc\n10.255.0.0\t10.255.255.255\t4\tXX\tFour\n" +
		"2001:db8::\t2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\t5\tXX\tFive\n" +
		"255.255.255.255\t255.255.255.255\t6\n0.0.0.0\t0.255.255.255\t0\tNone\tNot routed\n"
	for _, text := range []string{prefixes, ranges} {
		o, err := ReadOrigins(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for addr, want := range map[string]string{
			"10.0.0.0": "AS1 One Inc", "10.0.255.255": "AS1 One Inc", "10.1.0.0": "AS2 Two",
			"10.1.1.255": "AS2 Two", "10.1.2.0": "AS3", "10.1.2.255": "AS3", "10.1.3.0": "AS2 Two",
			"10.1.255.255": "AS2 Two", "10.2.0.0": "AS1 One Inc", "10.254.255.255": "AS1 One Inc",
			"10.255.9.9": "AS4 Four", "11.0.0.0": "unknown", "9.255.255.255": "unknown",
			"2001:db8::1": "AS5 Five", "2001:db9::": "unknown", "::1": "unknown",
			"255.255.255.255": "AS6", "255.255.255.254": "unknown", "0.0.0.1": "unknown",
		} {
			if got := o.name(o.find(netip.MustParseAddr(addr))); got != want {
				t.Errorf("%s is %s; want %s", addr, got, want)
			}
		}
	}
	for _, wrong := range []string{"x", "10.0.0.0/8", "10.0.0.0/8 x", "10.0.0.0\t::1\t1",
		"10.0.0.9\t10.0.0.1\t1", "10.0.0.0\t10.0.0.1", "10.0.0.0/99 1"} {
		_, err := ReadOrigins(strings.NewReader("10.0.0.0/8 1\n" + wrong + "\n"))
		if err == nil || !strings.HasPrefix(err.Error(), "line 2: ") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	o, _ := ReadOrigins(strings.NewReader("203.0.113.0/24 64500 Bad Host\n"))
	r, err := Read(Options{Sources: named(putWeek(t)), AS: o})
	if err != nil || len(r.Origins) != 2 || r.Origins[1].Key != "AS64500 Bad Host" ||
		r.Origins[1].Count != r.Networks[0].Count {
		t.Errorf("%v: %+v", err, r.Origins)
	}
}

// The JSON has the 500 that are refused most, what people read the first 20 of these.
func TestOffenders(t *testing.T) {
	log := ""
	for n := range 600 {
		for range 1 + min(1, n/300) { // the last 300 twice
			log += fmt.Sprintf("%s mx sendwrap[1]: DENIED client=[10.0.%d.%d]:5 server=[::1]:25\n",
				clock, n>>8, n&255)
		}
	}
	r := readText(t, log)
	if n := len(r.Addresses); n != 500 || r.Addresses[299].Count != 2 ||
		r.Addresses[300].Count != 1 {
		t.Errorf("%d addresses", n)
	}
	if n := strings.Count(textOf(t, r), "  10.0."); n != maxListed+len(r.Networks) {
		t.Errorf("the text has %d, with %d networks", n, len(r.Networks))
	}
}

// Of what changed, the four verdicts are named that changed most: by 20, and by a fifth.
func TestChangesText(t *testing.T) {
	const head = "24 h to 2 Dec 05:00, against the day before: "
	c := &Changes{Until: time.Date(2026, 12, 2, 5, 0, 0, 0, time.UTC)}
	for _, tt := range []struct {
		change Change
		want   string
	}{
		{Change{"PASS", 1000, 801}, "nothing much"},
		{Change{"BUSY", 19, 0}, "nothing much"},
		{Change{"RATE", 20, 0}, "RATE 20, was 0"},
		{Change{"KNOWN", 800, 1000}, "KNOWN 800, was 1,000, RATE 20, was 0"},
		{Change{"CONNS", 21, 0}, "KNOWN 800, was 1,000, CONNS 21, was 0, RATE 20, was 0"},
		{Change{"DNSBL", 22, 0}, "KNOWN 800, was 1,000, DNSBL 22, was 0, CONNS 21, was 0, " +
			"RATE 20, was 0"},
		{Change{"HANGUP", 23, 0}, "KNOWN 800, was 1,000, HANGUP 23, was 0, DNSBL 22, was 0, " +
			"CONNS 21, was 0"},
	} {
		c.Verdicts = append(c.Verdicts, tt.change)
		if got := c.text(); got != head+tt.want {
			t.Errorf("%q; want %q", got, tt.want)
		}
	}
}
