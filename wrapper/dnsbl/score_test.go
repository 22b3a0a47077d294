package dnsbl

import (
	"strings"
	"testing"
	"time"
)

// lists reads sites as postscreen_dnsbl_sites has them.
func lists(t *testing.T, sites string) (all []List) {
	t.Helper()
next:
	for _, text := range strings.Fields(strings.ReplaceAll(sites, ",", " ")) {
		zone, site, err := ParseSite(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if all[i].Zone == zone {
				all[i].Sites = append(all[i].Sites, site)
				continue next
			}
		}
		all = append(all, List{Zone: zone, Name: zone, Sites: []Site{site}})
	}
	return all
}

// answers says what the lists of these zones answer, and for how many seconds.
type answers map[string]struct {
	addrs string
	ttl   int
}

// scored asks all lists.
func scored(t *testing.T, all []List, of answers) (s Score) {
	t.Helper()
	for i := range all {
		s.Ask(&all[i])
	}
	for i := range all {
		a, ok := of[all[i].Zone]
		if !ok {
			s.NoAnswer(&all[i])
			continue
		}
		s.Answer(&all[i], addrs(t, a.addrs), time.Duration(a.ttl)*time.Second)
	}
	if s.Lowest != s.Sum || s.Highest != s.Sum {
		t.Errorf("nothing is outstanding: %+v", s)
	}
	return s
}

// The cases of postscreen's own tests give the scores and times that they give there.
func TestPostscreensTable(t *testing.T) {
	const zen, foo, dnswl = "zen.spamhaus.org", "foo.example.org", "list.dnswl.org"
	const three = "127.0.0.2 127.0.0.4 127.0.0.10"
	add := zen + "=127.0.0.[1..255]*3, " + zen + "=127.0.0.3*-1"
	for _, tt := range []struct {
		name, sites string
		answers     answers
		sum, ttl    int
	}{
		{"listed", zen, answers{zen: {three, 60}}, 1, 60},
		{"repeated", zen + ", " + zen, answers{zen: {three, 60}}, 2, 60},
		{"not listed", zen, answers{zen: {"", 60}}, 0, 60},
		{"weight first", zen + "*3, " + zen, answers{zen: {three, 60}}, 4, 60},
		{"weight last", zen + ", " + zen + "*3", answers{zen: {three, 60}}, 4, 60},
		{"filter first", zen + "=127.0.0.10*3, " + zen, answers{zen: {three, 60}}, 4, 60},
		{"filter last", zen + ", " + zen + "=127.0.0.10*3", answers{zen: {three, 60}}, 4, 60},
		{"add and subtract", add, answers{zen: {"127.0.0.3 127.0.0.10", 60}}, 2, 60},
		{"add alone", add, answers{zen: {"127.0.0.10", 60}}, 3, 60},

		{"both", zen + ", " + foo,
			answers{foo: {"127.0.0.10", 60}, zen: {"127.0.0.10", 60}}, 2, 60},
		{"the first", zen + ", " + foo, answers{foo: {"", 62}, zen: {"127.0.0.10", 61}}, 1, 61},
		{"the last", zen + ", " + foo, answers{foo: {"127.0.0.10", 62}, zen: {"", 61}}, 1, 62},
		{"none", zen + ", " + foo, answers{foo: {"", 62}, zen: {"", 61}}, 0, 61},
		{"the allow list wins", dnswl + "=127.0.[0..255].[1..3]*-2, " + foo,
			answers{foo: {"127.0.0.10", 62}, dnswl: {"127.0.5.2", 61}}, -1, 61},
	} {
		s := scored(t, lists(t, tt.sites), tt.answers)
		ttl := s.TTL(time.Minute, time.Hour)
		if s.Sum != tt.sum || ttl != time.Duration(tt.ttl)*time.Second {
			t.Errorf("%s: score %d for %v; want %d for %d s", tt.name, s.Sum, ttl, tt.sum, tt.ttl)
		}
	}
}

// For how long a score holds is said by what speaks for it.
func TestTTL(t *testing.T) {
	const sites = "bl, other*2, wl*-3"
	for _, tt := range []struct {
		name    string
		answers answers
		want    time.Duration
	}{
		{"nobody answers", nil, time.Minute},
		{"listed: not the list that does not list",
			answers{"bl": {"127.0.0.2", 500}, "other": {"", 90}}, 500 * time.Second},
		{"listed: the allow list that does not either",
			answers{"bl": {"127.0.0.2", 500}, "wl": {"", 90}}, 90 * time.Second},
		{"listed by two", answers{"bl": {"127.0.0.2", 500}, "other": {"127.0.0.2", 400}},
			400 * time.Second},
		{"welcome: not the block list", answers{"bl": {"127.0.0.2", 90}, "wl": {"127.0.0.2", 500}},
			500 * time.Second},
		{"they cancel each other: what speaks against the client does not count",
			answers{"bl": {"127.0.0.2", 90}, "other": {"127.0.0.2", 90}, "wl": {"127.0.0.2", 500}},
			500 * time.Second},
		{"only an allow list, which does not list", answers{"wl": {"", 300}}, 300 * time.Second},
		{"at least", answers{"bl": {"127.0.0.2", 1}}, time.Minute},
		{"at most", answers{"bl": {"127.0.0.2", 86400}}, time.Hour},
		{"none at all", answers{"bl": {"", 0}}, time.Minute},
	} {
		s := scored(t, lists(t, sites), tt.answers)
		if got := s.TTL(time.Minute, time.Hour); got != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, got, tt.want)
		}
	}
}

// With lists outstanding, the bounds contain what the sum becomes, and narrow down to it.
func TestBounds(t *testing.T) {
	all := lists(t, "a*2, b=127.0.0.2*3, b=127.0.0.3*-1, c*-5")
	var s Score
	for i := range all {
		s.Ask(&all[i])
	}
	want := func(sum, lowest, highest int) {
		t.Helper()
		if s.Sum != sum || s.Lowest != lowest || s.Highest != highest {
			t.Errorf("%+v; want %d, %d to %d", s, sum, lowest, highest)
		}
	}
	want(0, -6, 5)
	if w := s.Answer(&all[1], addrs(t, "127.0.0.2 127.0.0.3"), time.Hour); w != 2 {
		t.Errorf("b adds %d", w)
	}
	want(2, -3, 4)
	s.NoAnswer(&all[2])
	want(2, 2, 4)
	s.Answer(&all[0], nil, time.Hour)
	want(2, 2, 2)
}

func TestLies(t *testing.T) {
	for _, tt := range []struct{ addrs, why string }{
		{"", ""},
		{"127.0.0.2 127.0.0.4", ""},
		{"127.0.1.255 127.255.254.254", ""},
		{"127.255.255.252", Misspelt},
		{"127.255.255.254", PublicResolver},
		{"127.255.255.255", TooMany},
		{"127.255.255.0", ErrorCode},
		{"127.0.0.1", Localhost},
		{"127.0.0.2 127.0.0.1", Localhost},
		{"146.112.61.108", Sinkhole},
		{"128.0.0.2", Sinkhole},
		{"2001:db8::1", Sinkhole},
		{"::ffff:127.0.0.2", Sinkhole},
	} {
		if why, lies := Lies(addrs(t, tt.addrs)); why != tt.why || lies != (tt.why != "") {
			t.Errorf("%s: %q, %v; want %q", tt.addrs, why, lies, tt.why)
		}
	}
	for _, why := range []string{Misspelt, PublicResolver, TooMany, ErrorCode, Localhost, Sinkhole,
		ListsAll, ListsNone, NoAnswer, Refused} {
		if m := Meaning(why); m == why || !strings.Contains(m, "; ") || len(why) > 16 {
			t.Errorf("%s means %q", why, m)
		}
	}
}

// A lying address adds nothing, whatever the sites say, and hides no true one.
func TestLiesAddNothing(t *testing.T) {
	all := lists(t, "bl*5, bl=127.0.0.1*7, bl=127.255.255.[0..255]*9, "+
		"bl=[0..255].[0..255].[0..255].[0..255]*11")
	for text, want := range map[string]int{
		"127.0.0.1": 0, "127.255.255.254": 0, "192.0.2.1": 0, "127.255.255.254 127.0.0.9": 16,
	} {
		if got := all[0].Weight(addrs(t, text)); got != want {
			t.Errorf("%s adds %d; want %d", text, got, want)
		}
	}
}
