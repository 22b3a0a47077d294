package guard

import (
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
)

func TestDecide(t *testing.T) {
	limits := Limits{BadRcpts: 3, BadRcptsTotal: allowlist.Rate{N: 10, Per: time.Hour}, MaxRcpts: 5, MaxResets: 2}
	percent := Limits{BadRcpts: 3, BadRcptsTotal: allowlist.Rate{N: 10, Per: time.Hour}, BadPercent: 50}
	for _, c := range []struct {
		name  string
		facts Facts
		want  wrapper.Verdict
	}{
		{"nothing", Facts{Limits: limits}, wrapper.Undecided},
		{"below every limit", Facts{Limits: limits, Good: 5, Bad: 2, Total: 9, Resets: 2, Rcpts: 5}, wrapper.Undecided},
		{"a block is before all else", Facts{Limits: limits, Blocked: true, Bad: 3, Resets: 3, Rcpts: 6}, wrapper.Blocked},
		{"a block without limits", Facts{Blocked: true}, wrapper.Blocked},
		{"bad ones are before resets and recipients", Facts{Limits: limits, Bad: 3, Resets: 3, Rcpts: 6}, wrapper.BadRcpts},
		{"resets are before recipients", Facts{Limits: limits, Bad: 2, Resets: 3, Rcpts: 6}, wrapper.Resets},
		{"recipients", Facts{Limits: limits, Bad: 2, Resets: 2, Rcpts: 6}, wrapper.MaxRcpts},
		{"of this network", Facts{Limits: limits, Bad: 1, Total: 10}, wrapper.BadRcpts},
		{"of this network, by others", Facts{Limits: limits, Total: 10}, wrapper.Undecided},
		{"no limits", Facts{Bad: 1000, Total: 255, Resets: 10000, Rcpts: 100000}, wrapper.Undecided},
		{"3 dead of 60", Facts{Limits: percent, Bad: 3, Good: 57}, wrapper.Undecided},
		{"half", Facts{Limits: percent, Bad: 3, Good: 3}, wrapper.BadRcpts},
		{"one less than half", Facts{Limits: percent, Bad: 3, Good: 4}, wrapper.Undecided},
		{"of this network, and half of these", Facts{Limits: percent, Bad: 1, Good: 1, Total: 10}, wrapper.BadRcpts},
		{"of this network, and few of these", Facts{Limits: percent, Bad: 1, Good: 2, Total: 10}, wrapper.Undecided},
		{"100 %", Facts{Limits: Limits{BadRcpts: 1, BadPercent: 100}, Bad: 9, Good: 1}, wrapper.Undecided},
		{"100 % of one", Facts{Limits: Limits{BadRcpts: 1, BadPercent: 100}, Bad: 1}, wrapper.BadRcpts},
	} {
		if got := c.facts.Decide(); got != c.want {
			t.Errorf("%s: %v; want %v", c.name, got, c.want)
		}
	}
}

// Over all small numbers the decision is what the manual says, in whole shares of whole recipients.
func TestDecideAll(t *testing.T) {
	tried := 0
	eachTuple([]int{2, 4, 4, 4, 3, 3, 4, 3, 3, 3}, func(n []int) {
		for _, percent := range []int{0, 1, 33, 34, 50, 67, 100} {
			f := Facts{Blocked: n[0] == 1, Good: n[1], Bad: n[2], Total: n[3], Resets: n[4], Rcpts: n[5], Limits: Limits{
				BadRcpts: n[6], BadRcptsTotal: allowlist.Rate{N: n[7], Per: time.Hour}, MaxResets: n[8], MaxRcpts: n[9], BadPercent: percent,
			}}
			if got, want := f.Decide(), f.told(); got != want {
				t.Fatalf("%+v: %v; want %v", f, got, want)
			}
			tried++
		}
	})
	if tried < 500_000 {
		t.Errorf("only %d tried", tried)
	}
}

// told is the decision once more, in the manual's words.
func (f *Facts) told() wrapper.Verdict {
	if f.Blocked {
		return wrapper.Blocked
	}
	atLimit := f.Limits.BadRcpts != 0 && f.Limits.BadRcpts <= f.Bad
	if n := f.Limits.BadRcptsTotal.N; n != 0 && n <= f.Total {
		atLimit = true
	}
	if atLimit && f.Bad != 0 { // without a recipient there is no share
		if share := float64(f.Bad) / float64(f.Bad+f.Good) * 100; share+1e-9 >= float64(f.Limits.BadPercent) {
			return wrapper.BadRcpts
		}
	}
	if f.Limits.MaxResets != 0 && f.Limits.MaxResets < f.Resets {
		return wrapper.Resets
	}
	if f.Limits.MaxRcpts != 0 && f.Limits.MaxRcpts < f.Rcpts {
		return wrapper.MaxRcpts
	}
	return wrapper.Undecided
}

// eachTuple calls work with all tuples of numbers from 0 to those, exclusive.
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

// What is said about a client's network holds for it, 0 too; the rest is what holds for everyone.
func TestLimitsFor(t *testing.T) {
	c := config.Default()
	c.MaxRcpts, c.BadRcptsPercent = 100, 20
	if got, want := limitsFor(c, allowlist.Limits{}), (Limits{
		BadRcpts: 3, BadPercent: 20, BadRcptsTotal: allowlist.Rate{N: 10, Per: time.Hour}, MaxRcpts: 100, MaxResets: 20, BadRcptDelay: time.Second,
	}); got != want {
		t.Errorf("nothing said: %+v; want %+v", got, want)
	}
	var said allowlist.Limits
	said.SetCount(allowlist.BadRcpts, 0)
	said.SetCount(allowlist.BadRcptsPercent, 0)
	said.SetRate(allowlist.BadRcptsTotal, allowlist.Rate{})
	said.SetCount(allowlist.MaxRcpts, 7)
	said.SetCount(allowlist.MaxResets, 8)
	said.SetTime(allowlist.BadRcptDelay, 0)
	if got, want := limitsFor(c, said), (Limits{MaxRcpts: 7, MaxResets: 8}); got != want {
		t.Errorf("all said: %+v; want %+v", got, want)
	}
}
