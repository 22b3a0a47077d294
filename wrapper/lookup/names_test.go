package lookup

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// A name counts if its addresses contain the client's, and not for what it says.
func TestNames(t *testing.T) {
	n := lab.NewNameserver(t)
	ptr := reversed + ".in-addr.arpa. 3600 IN PTR "
	n.Add(t, ptr+"Mail.Example.ORG.", ptr+"bank.example.", ptr+"a.example.",
		ptr+"odd\\032name.example.",
		"mail.example.org. 3600 IN A 192.0.2.8", "mail.example.org. 3600 IN A 192.0.2.9",
		"bank.example. 3600 IN A 192.0.2.10", "a.example. 200 IN CNAME b.example.",
		"odd\\032name.example. 3600 IN A 192.0.2.9")
	n.Add(t, "a.example. 200 IN A 192.0.2.9") // a chain is followed by package resolve; see there
	q := request()
	q.Names = true
	l, r := outcome(t, n, q)
	if want := []string{"a.example", "mail.example.org"}; !slices.Equal(r.Names, want) {
		t.Errorf("names %q; want %q", r.Names, want)
	}
	if n.Asked("odd name.example") > 0 {
		t.Error("asked for a name with a blank")
	}
	if ttl := l.TTL(time.Minute, time.Hour); ttl != 120*time.Second && ttl != 200*time.Second {
		t.Errorf("kept for %v; want as long as the address that is forgotten first", ttl)
	}
}

// An address with any number of names costs a bounded number of questions.
func TestManyNames(t *testing.T) {
	n := lab.NewNameserver(t)
	var all []string
	for c := 'a'; c <= 't'; c++ {
		name := string(c) + ".example"
		all = append(all, name)
		n.Add(t, reversed+".in-addr.arpa. 3600 IN PTR "+name+".", name+". 3600 IN A 192.0.2.9")
	}
	q := request()
	q.Names = true
	_, r := outcome(t, n, q)
	if !slices.Equal(r.Names, all[:maxNames]) {
		t.Errorf("names %q; want %q", r.Names, all[:maxNames])
	}
	asked := 0
	for _, name := range all {
		asked += n.Asked(name)
	}
	if asked != maxNames {
		t.Errorf("asked for %d names; want %d", asked, maxNames)
	}
}

// IPv6 is asked by its nibbles, and its names by AAAA.
func TestIPv6(t *testing.T) {
	const nibbles = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
	n := lab.NewNameserver(t, nibbles+".l.example. 300 IN A 127.0.0.3",
		nibbles+".ip6.arpa. 3600 IN PTR six.example.", "six.example. 3600 IN AAAA 2001:db8::1",
		"six.example. 3600 IN A 192.0.2.9")
	q := request(weigh("l", 4))
	q.Addr, q.Names = netip.MustParseAddr("2001:db8::1"), true
	_, r := outcome(t, n, q)
	if r.Score.Sum != 4 || !slices.Equal(r.Names, []string{"six.example"}) {
		t.Errorf("%+v", r)
	}
}
