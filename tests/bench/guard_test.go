package main

import (
	"os"
	osexec "os/exec"
	"sync/atomic"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

func TestDictionaryRows(t *testing.T) {
	brought := func(n ...int) (all [][]tally) {
		for _, n := range n {
			all = append(all, []tally{{learned: n, valid: n / 20,
				held: time.Duration(n) * time.Second, cpu: time.Millisecond, took: time.Second}})
		}
		return all
	}
	rows := dictionaryRows(attacks(200)[0],
		turns[tally]{ours: brought(2, 4, 3), bareSendmail: brought(200, 200, 200)})
	if len(rows) != 5 {
		t.Fatalf("%d rows, want 5", len(rows))
	}
	for i, want := range []struct {
		value string
		ratio float64
	}{{"3.00", 0.015}, {"0.00", 0}, {"3.00", 0.015}, {"1.00", 1}, {"1.00", 1}} {
		if r := rows[i]; r.value(ours) != want.value || r.Ratio != want.ratio ||
			r.Against != bareSendmail {
			t.Errorf("%+v; want %s, %v of bare sendmail", r, want.value, want.ratio)
		}
	}
}

// An attack that learns nothing is not believed of a server without a defence.
func TestBelieve(t *testing.T) {
	bare := mailServer{name: bareSendmail}
	a := attacks(200)[0]
	for _, tt := range []struct {
		got  tally
		want bool
	}{
		{tally{learned: 200}, true},
		{tally{learned: 199}, false},
		{tally{learned: 12, late: true}, true},
	} {
		if err := bare.believe(a, tt.got, status{}); (err == nil) != tt.want {
			t.Errorf("%+v: %v; want it believed: %v", tt.got, err, tt.want)
		}
	}
}

// The CPU time of a daemon is its own and that of all processes that it has started, once they have
// ended.
func TestLifetime(t *testing.T) {
	// Its child does some work at a word, and ends.
	start := func(work string) (d *daemon, word *os.File) {
		t.Helper()
		in, word, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		d = &daemon{name: "sh", cmd: osexec.Command("sh", "-c",
			"{ read word; "+work+"; } <&3 & exec 3<&-; wait; exec sleep infinity")}
		d.cmd.ExtraFiles = []*os.File{in}
		if err := d.cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { word.Close(); _ = d.stop() })
		lab.Eventually(t, "its child is there", func() bool { return len(d.processes()) == 2 })
		return d, word
	}
	idle, its := start(":")
	var said atomic.Bool
	go func() {
		time.Sleep(200 * time.Millisecond) // for one that does not wait for the child
		said.Store(true)
		its.Close()
	}()
	spent := idle.lifetime()
	if !said.Load() {
		t.Error("idle: its child is not waited for")
	}
	busy, word := start("head -c 2000000000 /dev/zero >/dev/null")
	word.Close()
	if more := busy.lifetime(); more < spent+20*time.Millisecond {
		t.Errorf("%v with a busy child, %v without", more, spent)
	}
}
