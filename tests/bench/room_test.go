package main

import "testing"

func TestCompared(t *testing.T) {
	s := series{ours: {40, 60}, postscreen: {100, 100}}
	rows := s.compared("CPU", "µs", 45, limits{{postscreen, 0.7}, {xinetd, 2}})
	if len(rows) != 2 {
		t.Fatalf("%d rows; want 2, as there was no xinetd", len(rows))
	}
	if r := rows[0]; !r.Absolute || !r.Missed || r.Target != 45 || len(r.Values) != 2 {
		t.Errorf("%+v; want two values, and that 50 exceeds 45", r)
	}
	if r := rows[1]; r.Absolute || r.Missed || r.Ratio != 0.5 || r.Against != postscreen ||
		len(r.Values) != 0 {
		t.Errorf("%+v; want half of postscreen, as it should be", r)
	}
}

func TestTookEach(t *testing.T) {
	bursts := []burst{{clients: 10, took: 1000}, {clients: 10, took: 90_000},
		{clients: 10, took: 2000}}
	if got := tookEach(bursts); got != 0.2 {
		t.Errorf("%v µs; want 0.2, the median", got)
	}
	if got := cpuEach([]burst{{clients: 1, cpu: 3000}, {clients: 2, cpu: 0}}); got != 1 {
		t.Errorf("%v µs; want 1, the mean of all three", got)
	}
}
