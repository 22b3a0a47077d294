package report

import (
	"slices"
	"time"

	"sendwrap/wrapper/decide"
)

// Delay says when clients spoke or left within the greet delay. It is about those that had to wait
// for Longest or longer: of a client with a shorter delay nobody knows what it would have done.
type Delay struct {
	Longest float64 `json:"longest"` // the delay, in seconds
	Common  float64 `json:"common"`  // the delay of most clients
	Waited  int     `json:"waited"`  // clients that had to wait
	Spoke   int     `json:"spoke"`
	Left    int     `json:"left"`
	Curve   []Step  `json:"curve"`
	Suggest float64 `json:"suggest"` // a delay; 0 if none is better
	Why     string  `json:"why"`     // or why not
}

// Step is what had happened by a time.
type Step struct {
	Seconds float64 `json:"seconds"`
	Spoke   int     `json:"spoke"`
	Left    int     `json:"left"`
	Percent float64 `json:"percent"` // both, of those of the longest delay
}

// cells of 0.1 s hold the longest delay that there can be.
const cells = 2900

// maxDelays is how many delays are distinguished, those that come first.
const maxDelays = 16

// delays are counts by the delay that clients had.
type delays map[time.Duration]*delay

type delay struct {
	waited      int
	spoke, left [cells + 1]uint32
}

func (d *delays) add(v decide.Verdict, waited, of time.Duration) {
	if of == 0 {
		return
	}
	one := (*d)[of]
	if one == nil {
		if len(*d) >= maxDelays {
			return
		}
		if *d == nil {
			*d = delays{}
		}
		one = new(delay)
		(*d)[of] = one
	}
	one.waited++
	cell := min(int(waited/(100*time.Millisecond)), cells)
	switch v {
	case decide.Pregreet:
		one.spoke[cell]++
	case decide.Hangup:
		one.left[cell]++
	}
}

// longest is the longest delay that at least a tenth of the clients had to wait for, and common the
// one that most of them had.
func (d delays) longest() (longest, common time.Duration) {
	lengths := make([]time.Duration, 0, len(d))
	all := 0
	for length, one := range d {
		all += one.waited
		lengths = append(lengths, length)
		if most := d[common]; most == nil || one.waited > most.waited ||
			one.waited == most.waited && length > common {
			common = length
		}
	}
	slices.Sort(lengths)
	beyond := 0
	for _, length := range slices.Backward(lengths) {
		if beyond += d[length].waited; beyond*10 >= all {
			return length, common
		}
	}
	return 0, 0
}

// fact is the curve, and what it suggests.
func (d delays) fact() (f Delay) {
	f.Curve = []Step{}
	longest, common := d.longest()
	if longest == 0 {
		return f
	}
	f.Longest, f.Common = longest.Seconds(), common.Seconds()
	last := min(int(longest/(100*time.Millisecond)), cells)
	var spoke, left [cells + 1]int
	for length, one := range d {
		if length < longest {
			continue
		}
		f.Waited += one.waited
		for i := range last {
			spoke[i] += int(one.spoke[i])
			left[i] += int(one.left[i])
			f.Spoke += int(one.spoke[i])
			f.Left += int(one.left[i])
		}
	}
	s, early := Step{}, make([]int, last+1)
	for i := range last {
		s.Spoke, s.Left = s.Spoke+spoke[i], s.Left+left[i]
		s.Seconds = float64(i+1) / 10
		s.Percent = percent(s.Spoke+s.Left, f.Spoke+f.Left)
		if i < 100 || i%10 == 9 || i == last-1 {
			f.Curve = append(f.Curve, s)
		}
		early[i+1] = s.Spoke + s.Left
	}
	f.Curve = slimmed(f.Curve)
	suggest, why := decide.AdviseDelay(func(by time.Duration) int {
		return early[min(int(by/(100*time.Millisecond)), last)]
	}, longest, common)
	f.Suggest, f.Why = suggest.Seconds(), why
	return f
}

// slimmed are the steps without those at which nothing changes, before or behind.
func slimmed(all []Step) (curve []Step) {
	same := func(a, b Step) bool { return a.Spoke == b.Spoke && a.Left == b.Left }
	curve = []Step{}
	for i, s := range all {
		if i == 0 || i == len(all)-1 || !same(s, all[i-1]) || !same(s, all[i+1]) {
			curve = append(curve, s)
		}
	}
	return curve
}

// at is the last step by that time.
func (f *Delay) at(seconds float64) (s Step) {
	for _, step := range f.Curve {
		if step.Seconds <= seconds+1e-9 {
			s = step
		}
	}
	return s
}

func percent(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) * 100 / float64(of)
}
