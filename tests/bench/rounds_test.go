package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTakeTurns(t *testing.T) {
	var order []string
	calls := 0
	peers := []peer{{name: "a"}, {name: "b"}, {name: "tcpd", slow: true}}
	got, err := takeTurns(2, 2, peers, func(p peer) ([]int, error) {
		order = append(order, p.name)
		calls++
		return []int{calls}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	round := "a b tcpd b a "
	if want := strings.TrimSpace(strings.Repeat(round, 3)); strings.Join(order, " ") != want {
		t.Errorf("order %s; want %s", order, want)
	}
	for name, want := range map[string]string{"a": "[[6 10] [11 15]]", "b": "[[7 9] [12 14]]", "tcpd": "[[8] [13]]"} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s got %v; want %s: all but the first round", name, got[name], want)
		}
	}
}

func TestSeries(t *testing.T) {
	s := series{"ours": {3, 30, 6}, "floor": {1, 10, 1}, "none": {1, 10, 0.5}}
	if got := s.median("ours"); got != 6 {
		t.Errorf("median %v; want 6", got)
	}
	if got := s.ratio("ours", "floor"); got != 3 {
		t.Errorf("ratio %v; want 3, the median of 3, 3 and 6", got)
	}
	less := s.minus("none")
	if want := []float64{2, 20, 5.5}; !slices.Equal(less["ours"], want) || len(less) != 2 {
		t.Errorf("minus: %v; want ours %v, and no none", less, want)
	}
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1}, 5}, {[]float64{9, 2, 1, 4}, 3}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v: %v; want %v", tt.values, got, tt.want)
		}
	}
}
