package decide

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// everyLine are all lines that can be observed.
const everyLine = policy.OnPregreet | policy.ClientRate | policy.ClientConns |
	policy.DNSBLThreshold | policy.Blocks

// randomFacts are a client and what the configuration allows it, near the limits.
func randomFacts(r *rand.Rand) *Facts {
	near := func(limit int) int { return limit - 2 + r.IntN(3) }
	maybe := func() bool { return r.IntN(2) == 0 }
	f := &Facts{
		Standing: ledger.Standing{
			Serving: 10 * r.IntN(31), Waiting: r.IntN(1001), Conns: near(4), Arrivals: near(10),
			Served: r.IntN(4), Known: maybe(), Trusted: maybe(), Waited: maybe(),
			Blocked: maybe(), Wide: ledger.Wide{Conns: near(6), Served: r.IntN(4)},
		},
		Load: float64(r.IntN(5)), Asking: maybe(), Naming: maybe(),
		Score: dnsbl.Score{Sum: near(4), Lowest: near(4), Highest: near(4)},
		Limits: Limits{
			MaxSessions: 300, MaxWaiting: 1000, RefuseLoad: 4, Reserve: 20, ClientConns: 3,
			ClientRate: rule.Rate{N: 9, Per: time.Minute}, Remember: time.Hour,
			GreetDelay: 6 * time.Second, StressDelay: 2 * time.Second, Threshold: 3, Welcome: -1,
			Observed: policy.Observed(r.IntN(1 << 16)),
		},
	}
	f.ByHand = f.Blocked && maybe()
	for n := range f.WideCounts {
		f.Limits.Wide[n] = ledger.WideLimits{Network: netip.MustParsePrefix("192.0.2.0/24"),
			Conns: 5, Rate: 20, Per: time.Minute}
		f.WideCounts[n] = ledger.WideCount{Conns: int32(near(6)), Arrivals: int32(near(21))}
	}
	for _, said := range []*rule.Match{&f.Rule, &f.Map} {
		said.Access = rule.Access(r.IntN(3))
		if maybe() {
			said.Name = ".example.com"
		}
	}
	return f
}

// unobserved takes away all that refuses a client whatever is observed.
func (f *Facts) unobserved() {
	f.ByHand, f.Load, f.Serving, f.Waiting = false, 0, 0, 0
	for _, said := range []*rule.Match{&f.Rule, &f.Map} {
		if said.Access == rule.Deny {
			said.Access = rule.Unset
		}
	}
}

// Whatever is observed: what the log says of it is what the whole configuration would do, no client
// is refused that the whole configuration would serve, and to ask changes nothing. If all is
// observed, the same clients are served as under mode observe, but for what cannot be observed.
func TestObservedOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 6))
	refused := map[Verdict]int{}
	for range 50_000 {
		f := randomFacts(r)
		for name, decide := range map[string]func(*Facts) Verdict{
			"Decide": (*Facts).Decide,
			"Quiet":  func(f *Facts) Verdict { return f.Conclude(Quiet) },
			"Spoke":  func(f *Facts) Verdict { return f.Conclude(Spoke) },
		} {
			before := *f
			v, would := decide(f), f.Would(decide)
			if *f != before {
				t.Fatalf("%s: a question has changed %+v", name, before)
			}
			f.Limits.Observed = 0
			enforced := decide(f)
			refused[enforced]++
			switch {
			case v.Refuses() && !enforced.Refuses():
				t.Fatalf("%s: %v, and %v if nothing is observed: %+v", name, v, enforced, before)
			case before.Limits.Observed != 0 && enforced.Refuses() && would != enforced,
				!enforced.Refuses() && would != Undecided:
				t.Fatalf("%s: would be %v, is %v: %+v", name, would, enforced, before)
			}
			f.unobserved()
			f.Limits.Observed = everyLine | policy.WideLine(0) | policy.WideLine(1)
			if v := decide(f); v.Refuses() {
				t.Fatalf("%s: %v, though all is observed: %+v", name, v, f)
			}
			*f = before
		}
	}
	for _, v := range []Verdict{Denied, Blocked, Busy, Conns, Rate, Pregreet, DNSBL} {
		if refused[v] < 100 {
			t.Errorf("%d refused by %v: the test proves nothing", refused[v], v)
		}
	}
}
