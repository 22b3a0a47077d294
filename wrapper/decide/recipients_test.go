package decide

import (
	"net/netip"
	"testing"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

func TestRecipients(t *testing.T) {
	total := rule.Rate{N: 10, Per: time.Hour}
	limits := Limits{BadRcpts: 3, BadRcptsTotal: total, MaxRcpts: 5, MaxResets: 2}
	percent := Limits{BadRcpts: 3, BadRcptsTotal: total, BadPercent: 50}
	wide := Limits{BadRcptsShare: 50, WideRcpts: [ledger.MaxWide]rule.Rate{
		{N: 10, Per: time.Hour}, {N: 20, Per: time.Hour}}}
	has := func(narrow, wider ledger.Rcpts) [ledger.MaxWide]ledger.Rcpts {
		return [ledger.MaxWide]ledger.Rcpts{narrow, wider}
	}
	bounces := Limits{BadRcpts: 9, Bounces: 3, BadRcptsShare: 50}
	for _, c := range []struct {
		name  string
		facts Recipients
		want  Verdict
	}{
		{"nothing", Recipients{Limits: &limits}, Undecided},
		{"below every limit", Recipients{Limits: &limits, Good: 5, Bad: 2, Total: 9, Resets: 2,
			Rcpts: 5}, Undecided},
		{"a block is before all else", Recipients{Limits: &limits, Blocked: true, Bad: 3, Resets: 3,
			Rcpts: 6}, Blocked},
		{"a block without limits", Recipients{Limits: &Limits{}, Blocked: true}, Blocked},
		{"bad ones are before resets and recipients", Recipients{Limits: &limits, Bad: 3, Resets: 3,
			Rcpts: 6}, BadRcpts},
		{"resets are before recipients", Recipients{Limits: &limits, Bad: 2, Resets: 3, Rcpts: 6},
			Resets},
		{"recipients", Recipients{Limits: &limits, Bad: 2, Resets: 2, Rcpts: 6}, MaxRcpts},
		{"of this network", Recipients{Limits: &limits, Bad: 1, Total: 10}, BadRcpts},
		{"of this network, by others", Recipients{Limits: &limits, Total: 10}, Undecided},
		{"of a wide network", Recipients{Limits: &wide, Bad: 1,
			Wide: has(ledger.Rcpts{Bad: 10, Good: 10}, ledger.Rcpts{Bad: 10})}, BadRcpts},
		{"of the wider one", Recipients{Limits: &wide, Bad: 1,
			Wide: has(ledger.Rcpts{Bad: 9}, ledger.Rcpts{Bad: 20, Good: 20})}, BadRcpts},
		{"of both, and one less", Recipients{Limits: &wide, Bad: 1,
			Wide: has(ledger.Rcpts{Bad: 9}, ledger.Rcpts{Bad: 19})}, Undecided},
		{"of both, and more mail", Recipients{Limits: &wide, Bad: 1,
			Wide: has(ledger.Rcpts{Bad: 10, Good: 11}, ledger.Rcpts{Bad: 20, Good: 21})},
			Undecided},
		{"of a wide network, by others", Recipients{Limits: &wide,
			Wide: has(ledger.Rcpts{Bad: 10}, ledger.Rcpts{})}, Undecided},
		{"no limits", Recipients{Limits: &Limits{}, Bad: 1000, Total: 255, Resets: 10000,
			Rcpts: 100000}, Undecided},
		{"of the null sender", Recipients{Limits: &bounces, Null: true, Bad: 1, Bounced: 1,
			Bounces: 3}, BadRcpts},
		{"of the null sender, one less", Recipients{Limits: &bounces, Null: true, Bad: 1,
			Bounced: 1, Bounces: 2}, Undecided},
		{"of the null sender, by others", Recipients{Limits: &bounces, Null: true, Bounces: 3},
			Undecided},
		{"of the null sender, to another", Recipients{Limits: &bounces, Bad: 1, Bounces: 3},
			Undecided},
		{"of the null sender, and more mail", Recipients{Limits: &bounces, Null: true, Bad: 1,
			Bounces: 3, Mailed: 4}, Undecided},
		{"of the null sender, and as much mail", Recipients{Limits: &bounces, Null: true, Bad: 1,
			Bounces: 3, Mailed: 3}, BadRcpts},
		{"3 dead of 60", Recipients{Limits: &percent, Bad: 3, Good: 57}, Undecided},
		{"half", Recipients{Limits: &percent, Bad: 3, Good: 3}, BadRcpts},
		{"one less than half", Recipients{Limits: &percent, Bad: 3, Good: 4}, Undecided},
		{"of this network, and half of these", Recipients{Limits: &percent, Bad: 1, Good: 1,
			Total: 10}, BadRcpts},
		{"of this network, and few of these", Recipients{Limits: &percent, Bad: 1, Good: 2,
			Total: 10}, Undecided},
		{"100 %", Recipients{Limits: &Limits{BadRcpts: 1, BadPercent: 100}, Bad: 9, Good: 1},
			Undecided},
		{"100 % of one", Recipients{Limits: &Limits{BadRcpts: 1, BadPercent: 100}, Bad: 1},
			BadRcpts},
	} {
		if got := c.facts.Decide(); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// For all small numbers the decision is what the manual says.
func TestRecipientsAll(t *testing.T) {
	tried := 0
	eachTuple([]int{2, 4, 4, 4, 3, 3, 4, 3, 3, 3}, func(n []int) {
		for _, percent := range []int{0, 1, 33, 34, 50, 67, 100} {
			f := Recipients{Blocked: n[0] == 1, Good: n[1], Bad: n[2], Total: n[3], Resets: n[4],
				Rcpts: n[5], Limits: &Limits{
					BadRcpts: n[6], BadRcptsTotal: rule.Rate{N: n[7], Per: time.Hour},
					MaxResets: n[8], MaxRcpts: n[9], BadPercent: percent,
				}}
			if got, want := f.Decide(), f.byManual(); got != want {
				t.Fatalf("%+v: %v; want %v", f, got, want)
			}
			tried++
		}
	})
	if tried < 500_000 {
		t.Errorf("only %d tried", tried)
	}
}

// byManual is the decision in the words of the manual.
func (f *Recipients) byManual() Verdict {
	if f.Blocked {
		return Blocked
	}
	atLimit := f.Limits.BadRcpts != 0 && f.Limits.BadRcpts <= f.Bad
	if n := f.Limits.BadRcptsTotal.N; n != 0 && n <= f.Total {
		atLimit = true
	}
	if atLimit && f.Bad != 0 { // without a recipient there is no share
		share := float64(f.Bad) / float64(f.Bad+f.Good) * 100
		if share+1e-9 >= float64(f.Limits.BadPercent) {
			return BadRcpts
		}
	}
	if f.Limits.MaxResets != 0 && f.Limits.MaxResets < f.Resets {
		return Resets
	}
	if f.Limits.MaxRcpts != 0 && f.Limits.MaxRcpts < f.Rcpts {
		return MaxRcpts
	}
	return Undecided
}

// Bad recipients are held against the network unless the null sender has named them, or good mail
// outweighs them. Good recipients without a message do not count beside a total.
func TestOffends(t *testing.T) {
	limits := Limits{BadRcpts: 3, BadRcptsTotal: rule.Rate{N: 10, Per: time.Hour},
		BadRcptsShare: 50}
	alone, always := limits, limits
	alone.BadRcptsTotal.N, always.BadRcptsShare = 0, 0
	for _, c := range []struct {
		name  string
		facts Recipients
		want  bool
	}{
		{"three", Recipients{Limits: &limits, Bad: 3, Total: 3}, true},
		{"two", Recipients{Limits: &limits, Bad: 2, Total: 2}, false},
		{"one of them the null sender's", Recipients{Limits: &limits, Bad: 3, Bounced: 1, Total: 2},
			false},
		{"three beside them", Recipients{Limits: &limits, Bad: 4, Bounced: 1, Total: 3}, true},
		{"as much mail", Recipients{Limits: &limits, Bad: 3, Total: 3, Mailed: 3}, true},
		{"more mail", Recipients{Limits: &limits, Bad: 3, Total: 3, Mailed: 4}, false},
		{"more with this message", Recipients{Limits: &limits, Bad: 3, Total: 3, Mailed: 2,
			Named: 2}, false},
		{"in all", Recipients{Limits: &limits, Bad: 1, Total: 10, Mailed: 10}, true},
		{"in all, and this message", Recipients{Limits: &limits, Bad: 1, Total: 10, Mailed: 10,
			Named: 100}, true},
		{"in all, and more mail", Recipients{Limits: &limits, Bad: 3, Total: 10, Mailed: 11},
			false},
		{"without a total", Recipients{Limits: &alone, Bad: 3, Named: 100}, true},
		{"share=0", Recipients{Limits: &always, Bad: 3, Total: 3, Mailed: 200}, true},
		{"no limits", Recipients{Limits: &Limits{}, Bad: 1000}, false},
	} {
		if got := c.facts.Offends(); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// eachTuple calls work with all tuples of numbers from 0 to below, exclusive.
func eachTuple(below []int, work func([]int)) {
	n := make([]int, len(below))
	for {
		work(n)
		i := 0
		for ; i < len(n); i++ {
			if n[i]++; n[i] < below[i] {
				break
			}
			n[i] = 0
		}
		if i == len(n) {
			return
		}
	}
}

// A client line holds for its network, also with 0; other limits are the general ones.
func TestLimits(t *testing.T) {
	c := policy.Default()
	c.MaxRcpts, c.BadRcptsPercent = 100, 20
	// The guard's part of them.
	guards := func(said rule.Limits) Limits {
		var l Limits
		l.Set(&c, false, said)
		return Limits{
			BadRcpts: l.BadRcpts, BadPercent: l.BadPercent, BadRcptsTotal: l.BadRcptsTotal,
			BadRcptsShare: l.BadRcptsShare, Bounces: l.Bounces, BouncesPer: l.BouncesPer,
			MaxRcpts: l.MaxRcpts, MaxResets: l.MaxResets, BadRcptDelay: l.BadRcptDelay,
		}
	}
	if got, want := guards(rule.Limits{}), (Limits{
		BadRcpts: 3, BadPercent: 20, BadRcptsTotal: rule.Rate{N: 10, Per: time.Hour},
		BadRcptsShare: 50, Bounces: 3, BouncesPer: time.Hour, MaxRcpts: 100, MaxResets: 20,
		BadRcptDelay: time.Second,
	}); got != want {
		t.Errorf("nothing said: %+v; want %+v", got, want)
	}
	var said rule.Limits
	said.SetCount(rule.BadRcpts, 0)
	said.SetCount(rule.BadRcptsPercent, 0)
	said.SetRate(rule.BadRcptsTotal, rule.Rate{})
	said.SetCount(rule.MaxRcpts, 7)
	said.SetCount(rule.MaxResets, 8)
	said.SetTime(rule.BadRcptDelay, 0)
	want := Limits{BadRcptsShare: 50, BouncesPer: time.Hour, MaxRcpts: 7, MaxResets: 8}
	if got := guards(said); got != want {
		t.Errorf("all said: %+v; want %+v", got, want)
	}
}

// What a client has shown excuses its session, but not where its wide network guesses.
func TestIsExcusedInWideNetwork(t *testing.T) {
	l := Limits{BadRcptsShare: 50, WideRcpts: [ledger.MaxWide]rule.Rate{{N: 10, Per: time.Hour}}}
	f := Recipients{Limits: &l, Known: true, Good: 1, Mailed: 1}
	for bad, want := range map[int]bool{9: true, 10: false} {
		f.Wide[0].Bad = bad
		if f.IsExcused() != want || f.Offends() == want {
			t.Errorf("%d: excused %v, offends %v", bad, f.IsExcused(), f.Offends())
		}
	}
}

// A wide network has its own limits, and what lines for networks as wide as it say in their place:
// 0 is none. They add no limit that it does not have.
func TestWideLimits(t *testing.T) {
	c := policy.Default()
	c.Wide = []policy.Wide{
		{Widths: policy.Widths{V4: 24, V6: 48}, ClientConns: 5, Strikes: 3,
			ClientRate: rule.Rate{N: 6, Per: time.Minute}},
		{Widths: policy.Widths{V4: 16, V6: 32}, ClientConns: 50,
			BadRcptsTotal: rule.Rate{N: 7, Per: time.Hour}},
	}
	limits := func(said *rule.Limits) (l Limits) {
		l.SetWide(&c, netip.MustParseAddr("192.0.2.1"), said)
		return l
	}
	narrow, wide := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.0.0.0/16")
	want := Limits{
		Wide: [ledger.MaxWide]ledger.WideLimits{
			{Network: narrow, Conns: 5, Rate: 6, Per: time.Minute}, {Network: wide, Conns: 50},
		},
		WideStrikes: [ledger.MaxWide]int{3, 0},
		WideRcpts:   [ledger.MaxWide]rule.Rate{{}, {N: 7, Per: time.Hour}},
	}
	var said rule.Limits
	said.SetCount(rule.ClientConns, 1) // for the client's own network
	said.SetRate(rule.ClientRate, rule.Rate{N: 1, Per: time.Second})
	said.SetRate(rule.BadRcptsTotal, rule.Rate{N: 1, Per: time.Second})
	if got := limits(&said); got != want || !got.IsWide() {
		t.Errorf("%+v; want %+v", got, want)
	}
	for n := range ledger.MaxWide {
		for key, r := range map[rule.Key]rule.Rate{
			rule.ClientConns: {}, rule.ClientRate: {N: 9, Per: time.Second},
			rule.BadRcptsTotal: {N: 8, Per: time.Minute},
		} {
			k, _ := key.Wide(n)
			said.SetRate(k, r)
		}
	}
	want.Wide[0].Conns, want.Wide[0].Rate, want.Wide[0].Per = 0, 9, time.Second
	want.Wide[1].Conns, want.WideRcpts[1] = 0, rule.Rate{N: 8, Per: time.Minute}
	if got := limits(&said); got != want {
		t.Errorf("overridden: %+v; want %+v", got, want)
	}
	if l := (Limits{}); l.IsWide() {
		t.Error("without any it is wide")
	}
}
