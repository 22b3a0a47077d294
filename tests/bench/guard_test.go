package main

import (
	osexec "os/exec"
	"testing"
	"time"
)

func TestDictionaryRows(t *testing.T) {
	brought := func(n ...int) (all [][]loot) {
		for _, n := range n {
			all = append(all, []loot{{learned: n, valid: n / 20, held: time.Duration(n) * time.Second, cpu: time.Millisecond, took: time.Second}})
		}
		return all
	}
	rows := dictionaryRows(attacks(200)[0], turns[loot]{ours: brought(2, 4, 3), bareSendmail: brought(200, 200, 200)})
	if len(rows) != 5 {
		t.Fatalf("%d rows, want 5", len(rows))
	}
	for i, want := range []struct {
		value string
		ratio float64
	}{{"3.00", 0.015}, {"0.00", 0}, {"3.00", 0.015}, {"1.00", 1}, {"1.00", 1}} {
		if r := rows[i]; r.value(ours) != want.value || r.Ratio != want.ratio || r.Against != bareSendmail {
			t.Errorf("%+v; want %s, %v of bare sendmail", r, want.value, want.ratio)
		}
	}
}

// An attack that teaches nobody anything is not believed of a server without a defence.
func TestBelieve(t *testing.T) {
	bare := mailServer{name: bareSendmail}
	a := attacks(200)[0]
	for _, tt := range []struct {
		got  loot
		want bool
	}{
		{loot{learned: 200}, true},
		{loot{learned: 199}, false},
		{loot{learned: 12, late: true}, true},
	} {
		if err := bare.believe(a, tt.got, status{}); (err == nil) != tt.want {
			t.Errorf("%+v: %v; want it believed: %v", tt.got, err, tt.want)
		}
	}
}

// What a daemon has used is its own and that of all it has started, once they have ended.
func TestLifetime(t *testing.T) {
	start := func(script string) *daemon {
		t.Helper()
		d := &daemon{name: "sh", cmd: osexec.Command("sh", "-c", script)}
		if err := d.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.stop() })
		for all := []child{}; len(all) < 2; time.Sleep(time.Millisecond) { // until its child is there
			all = d.processes()
		}
		return d
	}
	began := time.Now()
	idle := start("sleep 0.3 & wait; exec sleep 60")
	busy := start("head -c 2000000000 /dev/zero >/dev/null & wait; exec sleep 60")
	spent := idle.lifetime()
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("idle: after %v; want that its child is waited for", took)
	}
	if more := busy.lifetime(); more < spent+20*time.Millisecond {
		t.Errorf("%v with a busy child, %v without", more, spent)
	}
}
