package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTakeTurns(t *testing.T) {
	var order []string
	calls := 0
	peers := []peer{{name: "a"}, {name: "b"}, {name: "tcpd", slow: true}}
	l := &bench{state: &state{due: time.Now().Add(time.Hour)}, rounds: 2, slices: 2}
	got, err := takeTurns(l, peers, func(p peer) ([]int, error) {
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
	for name, want := range map[string]string{"a": "[[6 10] [11 15]]", "b": "[[7 9] [12 14]]",
		"tcpd": "[[8] [13]]"} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s got %v; want %s: all but the first round", name, got[name], want)
		}
	}
}

// What was measured before the budget was used up is not lost.
func TestTakeTurnsLate(t *testing.T) {
	for _, tt := range []struct {
		turns     int // before there is no time left
		want, cut string
	}{
		{0, "", ""},
		{1, "", ""},
		{3, "map[a:[[1]] b:[[2 3]]]", "over its budget of 1m0s: less than a round"},
		{4, "map[a:[[1 4]] b:[[2 3]]]", "over its budget of 1m0s: less than a round"},
		{7, "map[a:[[1 4]] b:[[2 3]]]", "over its budget of 1m0s: less than a round"},
		{8, "map[a:[[5 8]] b:[[6 7]]]", "over its budget of 1m0s: 1 of 2 rounds"},
		{12, "map[a:[[5 8] [9 12]] b:[[6 7] [10 11]]]", ""},
	} {
		l := &bench{state: &state{due: time.Now().Add(time.Hour), budget: time.Minute}, rounds: 2,
			slices: 2}
		calls := 0
		end := func() {
			if calls == tt.turns {
				l.due = time.Now()
			}
		}
		end()
		got, err := takeTurns(l, []peer{{name: "a"}, {name: "b"}}, func(peer) ([]int, error) {
			calls++
			end()
			return []int{calls}, nil
		})
		if tt.want == "" {
			if !errors.Is(err, errLate) {
				t.Errorf("%d turns: %v, %v; want that it is late", tt.turns, got, err)
			}
		} else if err != nil || fmt.Sprint(got) != tt.want || l.cut != tt.cut {
			t.Errorf("%d turns: %v, %v, %q; want %s and %q", tt.turns, got, err, l.cut, tt.want,
				tt.cut)
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
