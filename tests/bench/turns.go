package main

import (
	"fmt"
	"slices"
	"time"
)

// turns holds the samples that each peer got, by its name and by round.
type turns[S any] map[string][][]S

// takeTurns lets every peer run in every round and returns all samples.
//
// A round is cut into as many turns as slices says, and each turn begins with another peer: noise
// that lasts longer than a turn hits all of them alike. A slow peer has one turn a round. A round
// before the first, not counted, warms caches.
//
// When the budget is used up, it returns the rounds that are whole, or else what there is of the
// first.
func takeTurns[S any](l *bench, peers []peer, run func(peer) ([]S, error)) (turns[S], error) {
	t := make(turns[S])
	var warm map[string][]S
	for round := range l.rounds + 1 {
		got := make(map[string][]S)
		if round == 0 {
			warm = got
		}
		for slice := range l.slices {
			for turn := range peers {
				p := peers[(slice+turn)%len(peers)]
				if p.slow && slice > 0 {
					continue
				}
				var samples []S
				err := l.late()
				if err == nil {
					samples, err = try(func() ([]S, error) { return run(p) })
				}
				switch late := l.late(); {
				case err == nil:
					got[p.name] = append(got[p.name], samples...)
				case late == nil:
					return nil, fmt.Errorf("%s: %w", p.name, err)
				case round > 1:
					l.cut = fmt.Sprintf("%v: %d of %d rounds", late, round-1, l.rounds)
					return t, nil
				case len(warm) == len(peers):
					l.cut = fmt.Sprintf("%v: less than a round", late)
					t.add(warm)
					return t, nil
				default:
					return nil, late
				}
			}
		}
		if round > 0 {
			t.add(got)
		}
	}
	return t, nil
}

// add adds a round.
func (t turns[S]) add(round map[string][]S) {
	for name, samples := range round {
		t[name] = append(t[name], samples)
	}
}

// series holds one value a round for each peer, by its name.
type series map[string][]float64

// reduce makes one value of the samples of each round.
func (t turns[S]) reduce(value func([]S) float64) series {
	s := make(series)
	for name, rounds := range t {
		for _, samples := range rounds {
			s[name] = append(s[name], value(samples))
		}
	}
	return s
}

// minus returns the series less what one of its peers has in the same round, and without that peer.
func (s series) minus(peer string) series {
	less := make(series)
	for name, values := range s {
		if name == peer {
			continue
		}
		for i := range min(len(values), len(s[peer])) {
			less[name] = append(less[name], values[i]-s[peer][i])
		}
	}
	return less
}

// median returns the median of the rounds of one peer.
func (s series) median(name string) float64 { return median(s[name]) }

// ratio returns the median of what each round says of a compared with b.
func (s series) ratio(a, b string) float64 {
	var r []float64
	for i := range min(len(s[a]), len(s[b])) { // the budget may have ended a round
		r = append(r, s[a][i]/s[b][i])
	}
	return median(r)
}

// median returns the middle value, the mean of both middle ones for an even number, 0 for none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ms returns a duration in milliseconds, us in microseconds.
func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
