package wrapper

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/resolve"
)

// namedRules are rules with some for names.
type namedRules struct {
	policy.Rules
	byName map[string]rule.Match
}

func (r namedRules) HasNames() bool { return len(r.byName) > 0 }
func (r namedRules) MatchName(name string) (rule.Match, error) {
	return r.byName[name], nil
}

// hear has DNS asked as a command does it.
func (d *doorway) hear(t *testing.T) *Hearsay {
	t.Helper()
	h, err := d.Hearsay(netip.MustParseAddr(d.from))
	if err != nil || h == nil {
		t.Fatal(h, err)
	}
	r := resolve.New(d.Policy.Resolvers)
	defer r.Close()
	h.Request.Until = time.Now().Add(lab.Patience)
	l := lookup.Start(r, h.Request, func() {})
	lab.Eventually(t, "DNS has answered", func() bool { r.Handle(); return l.Done() })
	h.Result = l.Result()
	return h
}

// check says what happens to a client that DNS knows: from what it hears itself, and then from what
// the ledger remembers of that client. It keeps nothing and tests no list for others.
func TestHearsayAgrees(t *testing.T) {
	const name, ptr = "mail.example.com", reversed + ".in-addr.arpa. 60 IN PTR mail.example.com."
	deny := map[string]rule.Match{name: {Access: rule.Deny, Name: ".example.com"}}
	allow := map[string]rule.Match{name: {Access: rule.Allow, Name: ".example.com"}}
	for _, tt := range []struct {
		name       string
		has        map[string]bool
		byName     map[string]rule.Match
		setUp      func(*doorway)
		want, then decide.Verdict
		row, of    string // row is what the test named by "of" has found
	}{
		{"listed", map[string]bool{"bad": true, "good": false}, nil, nil, decide.DNSBL,
			decide.DNSBL, "score 3 (bad:127.0.0.2*3); refused from 3", "dnsbl_threshold"},
		{"welcome", map[string]bool{"bad": false, "good": true}, nil, nil, decide.DNSWL,
			decide.Known, "score -2 (good:127.0.0.2*-2); need not wait from -2 down",
			"dnsbl_welcome"},
		{"neither", map[string]bool{"bad": false, "good": false}, nil, nil, decide.Pass,
			decide.Known, "score 0; refused from 3", "dnsbl_threshold"},
		{"only logged", map[string]bool{"bad": true, "good": false}, nil,
			func(d *doorway) { d.Policy.DNSBLThreshold = 0 }, decide.Pass, decide.Known,
			"score 3 (bad:127.0.0.2*3); lists refuse nobody (dnsbl_threshold 0)",
			"dnsbl_threshold"},
		{"denied by name", map[string]bool{"bad": true, "good": true}, deny, nil, decide.Denied,
			decide.Denied, ".example.com (:0)", "deny name"},
		{"allowed by name", map[string]bool{"bad": true, "good": false}, allow, nil, decide.Allowed,
			decide.Allowed, ".example.com (:0)", "allow name"},
		{"a rule for other names", map[string]bool{"bad": false, "good": false},
			map[string]rule.Match{"other.example": {}}, nil, decide.Pass, decide.Known,
			"no matching rule for mail.example.com", "deny name"},
		{"blocked", map[string]bool{"bad": true, "good": false}, allow,
			blockLoopback("127.9.8.0/24"), decide.Blocked, decide.Blocked,
			"score 3 (bad:127.0.0.2*3); refused from 3", "dnsbl_threshold"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := lab.NewNameserver(t, ptr, name+". 60 IN A "+asked)
			behave(t, n, tt.has)
			d := dnsDoor(t, "", n, "greet_delay 10s stress=10s\n",
				map[string]int{"bad": 3, "good": -2})
			d.Policy.Rules = namedRules{d.Policy.Rules, tt.byName}
			if tt.setUp != nil {
				tt.setUp(d)
			}
			explained := func(h *Hearsay, want decide.Verdict) []decide.Step {
				t.Helper()
				steps, said, _, err := d.Explain(netip.MustParseAddr(asked), h)
				if err != nil || said != want || marked(t, steps) != want {
					t.Errorf("explained as %v, marked %v, %v; want %v", said, marked(t, steps), err,
						want)
				}
				return steps
			}
			h := d.hear(t)
			found := ""
			for _, step := range explained(h, tt.want) {
				if step.Test == tt.of {
					found = step.Found
				}
			}
			if found != tt.row {
				t.Errorf("%s: %q; want %q", tt.of, found, tt.row)
			}
			if again := d.hear(t); again.IsRemembered() || again.Behavior[0].Tested ||
				again.Behavior[0].Asked > 0 {
				t.Errorf("the ledger has kept %+v, %+v", again.Remembered, again.Behavior)
			}
			if s, _, _ := d.meet(t, nil); s.Verdict != tt.want {
				t.Errorf("explained as %v, was %v", tt.want, s.Verdict)
			}
			if tt.want != decide.Blocked {
				h = d.hear(t)
				// Only the list that decided has certainly passed its test by then.
				tested := h.Behavior[0].Tested || tt.byName != nil ||
					tt.want == decide.DNSWL && h.Behavior[1].Tested
				if !h.IsRemembered() || !tested {
					t.Errorf("the ledger has not kept %+v, %+v", h.Remembered, h.Behavior)
				}
				h.Result = lookup.Result{Done: true} // what is remembered decides
			}
			explained(h, tt.then)
			if s, _, _ := d.meet(t, nil); s.Verdict != tt.then {
				t.Errorf("explained as %v, was %v", tt.then, s.Verdict)
			}
		})
	}
}

// A list that is set aside is not asked by check either, one that has not passed its test is tested
// as it would be for the client, and one that lies does not count.
func TestHearsayOfUnreliableLists(t *testing.T) {
	n := lab.NewNameserver(t)
	behave(t, n, map[string]bool{"good": false})
	n.Add(t, reversed+".secret.bad.example. 60 IN A 127.255.255.254")
	n.AddList(t, "secret.slow.example", reversed)
	d := dnsDoor(t, "", n, "greet_delay 1s stress=1s\n",
		map[string]int{"bad": 3, "good": -2, "slow": 3})
	err := d.Ledger.Run(func(t *ledger.Tx) {
		t.SetListAside("secret.slow.example", dnsbl.ListsAll, time.Hour)
	})
	if err != nil {
		t.Fatal(err)
	}
	h := d.hear(t)
	if q := h.Request; q.Ask.Has(2) || q.Test.Has(2) || !q.Test.Has(0) || !q.Test.Has(1) ||
		q.Trusted != 0 || n.Asked(reversed+".secret.slow.example") > 0 {
		t.Errorf("%+v", q)
	}
	if _, v, _, _ := d.Explain(netip.MustParseAddr(asked), h); v != decide.Pass {
		t.Errorf("explained as %v", v)
	}
}

// Without the client's address in DNS, or without DNS, check says what it does not know.
func TestHearsayNotAsked(t *testing.T) {
	n := lab.NewNameserver(t)
	d := dnsDoor(t, "", n, "", map[string]int{"bad": 3})
	d.Policy.Rules = namedRules{d.Policy.Rules, map[string]rule.Match{"x.example": {}}}
	h, err := d.Hearsay(netip.MustParseAddr(asked))
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	steps, _, _, _ := d.Explain(netip.MustParseAddr(asked), h)
	for _, step := range steps {
		text += step.Test + ": " + step.Found + "\n"
	}
	if strings.Count(text, "not known: DNS was not asked") != 4 {
		t.Errorf("%s", text)
	}
	d = open(t, "", "")
	if h, err := d.Hearsay(netip.MustParseAddr(asked)); h != nil || err != nil {
		t.Errorf("without lists: %v, %v", h, err)
	}
}

// The names of a client are shown in the order in which they decide, whatever that of DNS is, be
// they new or remembered, and whatever decides about the client. To show them changes nothing.
func TestHearsayInOrder(t *testing.T) {
	names := []string{"b.example", "z.example", "a.example"}
	const want = "no matching rule for z.example, a.example, b.example"
	for _, blocked := range []bool{false, true} {
		for _, h := range []*Hearsay{
			{Result: lookup.Result{Done: true, Names: names}},
			{Remembered: lookup.Result{Done: true, Names: names}, Left: time.Hour},
		} {
			d := open(t, "", "")
			var limits rule.Limits
			limits.SetTime(rule.GreetDelay, time.Hour)
			d.Policy.Rules = namedRules{d.Policy.Rules,
				map[string]rule.Match{"z.example": {Limits: limits}}}
			if blocked {
				blockLoopback("127.9.8.0/24")(d)
			}
			h.Request.Names = true
			before := *h
			steps, _, _, err := d.Explain(netip.MustParseAddr(asked), h)
			if err != nil {
				t.Fatal(err)
			}
			ordered, known := d.HeardNames(h)
			if !known || strings.Join(ordered, " ") != "z.example a.example b.example" {
				t.Errorf("blocked %v: in order they are %q, %v", blocked, ordered, known)
			}
			if !reflect.DeepEqual(*h, before) {
				t.Errorf("blocked %v: it was %+v, and is %+v", blocked, before, *h)
			}
			shown := 0
			for _, step := range steps {
				if strings.HasPrefix(step.Found, "no matching rule for ") {
					if shown++; step.Found != want {
						t.Errorf("blocked %v: %q; want %q", blocked, step.Found, want)
					}
				}
			}
			if shown == 0 {
				t.Errorf("blocked %v: no names in %+v", blocked, steps)
			}
		}
	}
}
