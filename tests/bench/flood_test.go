package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"sendwrap/tests/lab"
)

// A known client that is not greeted, or is late, misses the goal, unless it is late without an
// attacker, too.
func TestSiegeGoals(t *testing.T) {
	without := greetings{Clients: 60, Greeted: 60, Median: 3, Worst: 5}
	for _, tt := range []struct {
		with, without greetings
		want          string
	}{
		{greetings{Clients: 60, Greeted: 60, Median: 100, Worst: 100}, without, "ok"},
		{greetings{Clients: 60, Greeted: 59, Median: 1, Worst: 2}, without, "MISSED: greeted"},
		{greetings{Clients: 60, Greeted: 60, Median: 20, Worst: 101}, without, "MISSED: worst"},
		{greetings{Clients: 60, Greeted: 60, Median: 101, Worst: 101}, without,
			"MISSED: median, worst"},
		{greetings{Clients: 60, Greeted: 60, Median: 101, Worst: 300},
			greetings{Clients: 60, Greeted: 60, Median: 34, Worst: 100}, "ok"},
		{greetings{Clients: 60}, without, "MISSED: greeted"},
	} {
		b := besieged{Ours: true, With: tt.with, Without: tt.without}
		if got := b.result(); got != tt.want {
			t.Errorf("%+v without %+v: %q; want %q", tt.with, tt.without, got, tt.want)
		}
		if b.Ours = false; b.result() != "" {
			t.Errorf("postscreen has goals: %q", b.result())
		}
	}
}

func TestGreetings(t *testing.T) {
	got := greetingsOf([]greeting{
		{"220 mx.test ESMTP", 3 * time.Millisecond},
		{"220-mx.test\r\n220 ESMTP", 1 * time.Millisecond},
		{"421 4.3.2 mx.test too busy", time.Millisecond},
		{"421 4.3.2 mx.test too busy", time.Millisecond},
		{errNoAnswer.Error(), time.Second},
		{"", time.Second},
		{"521 Service not available", time.Second},
	})
	if got.Clients != 7 || got.Greeted != 2 || got.Median != 2 || got.Worst != 3 ||
		got.share() != "28 %" {
		t.Errorf("%+v, %s", got, got.share())
	}
	const want = "421 4.3.2 (2), 521 (1), end of the connection (1), nothing (1)"
	if got.others() != want {
		t.Errorf("others %q; want %q", got.others(), want)
	}
}

// The attack stands once above its doors, and no line has more than 100 columns.
func TestWriteSieges(t *testing.T) {
	without := greetings{Clients: 60, Greeted: 60, Median: 3.14, Worst: 5}
	var text strings.Builder
	writeSieges(&text, []besieged{
		{Attack: "an attack", Door: eachItsOwn, Ours: true, Without: without,
			With: greetings{Clients: 60, Greeted: 30, Median: 12.5, Worst: 1234,
				Others: map[string]int{"421 4.3.2": 30}},
			Newcomers: &greetings{Clients: 20, Others: map[string]int{"nothing": 20}},
			Attackers: "90 of 100 attackers at a time, 412 connections a second"},
		{Attack: "an attack", Door: postscreen, Without: without, With: greetings{Clients: 60},
			Attackers: "100 attackers at a time"},
	})
	const want = `
                                               greeted   median    worst  without:   worst newcomers

an attack
    a process each                                50 %     12.5     1234      3.14    5.00       0 %
        MISSED: greeted, worst; 90 of 100 attackers at a time, 412 connections a second; known
        clients heard 421 4.3.2 (30); newcomers nothing (20)
    postscreen                                     0 %        -        -      3.14    5.00
        100 attackers at a time
`
	if text.String() != want[1:] {
		t.Errorf("got\n%s\nwant%s", text.String(), want)
	}
	for line := range strings.Lines(text.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

// A failure is shown in its row, and the next measurement follows.
func TestPart(t *testing.T) {
	var rows strings.Builder
	l := &bench{state: &state{out: json.NewEncoder(&rows), due: time.Now().Add(time.Hour)}}
	l.part("first", func() { check(errors.New("why")) })
	l.part("second", func() { l.put(row{What: "second"}) })
	_, err := try(func() (any, error) {
		l.part("third", func() { check(fmt.Errorf("%w of 1s", errLate)) })
		return nil, errors.New("nothing else may follow")
	})
	if !errors.Is(err, errLate) {
		t.Errorf("over its budget: %v; want the end of the measurement", err)
	}
	const want = `{"what":"first","unit":"","error":"why"}
{"what":"second","unit":""}
`
	if rows.String() != want {
		t.Errorf("rows\n%swant\n%s", rows.String(), want)
	}
}

// One connection follows another, so many at a time and no more than so many.
func TestSwarmComesAgain(t *testing.T) {
	var here, most atomic.Int64
	to := answering(t, func(c net.Conn) {
		for n := here.Add(1); n > most.Load() && !most.CompareAndSwap(most.Load(), n); {
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		if line == slam {
			fmt.Fprint(c, "554 5.5.1 no\r\n")
		}
		here.Add(-1)
	})
	s := (&swarm{to: to, from: loopback, says: slam, size: 20, most: 500}).start()
	lab.Eventually(t, "all have come", func() bool { return s.ended.Load() == 500 })
	if got := most.Load(); got > 20 || s.here.Load() != 0 {
		t.Errorf("%d at a time, %d are there still; want 20 at most, and none", got, s.here.Load())
	}
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

// A swarm that stays has its sessions; one that does not leaves when it is greeted.
func TestSwarmIsGreeted(t *testing.T) {
	to := answering(t, func(c net.Conn) {
		fmt.Fprint(c, "220-a first line\r\n")
		fmt.Fprint(c, "220 mx.test\r\n")
		_, _ = c.Read(make([]byte, 1))
	})
	stays := (&swarm{to: to, from: loopback, size: 20, most: 20, stays: true}).start()
	leaves := (&swarm{to: to, from: loopback, size: 20, most: 20}).start()
	lab.Eventually(t, "20 have a session, 20 have left", func() bool {
		return stays.greeted.Load() == 20 && stays.here.Load() == 20 && leaves.ended.Load() == 20
	})
	for _, s := range []*swarm{stays, leaves} {
		if err := errors.Join(s.settles(0), s.stop()); err != nil {
			t.Error(err)
		}
	}
}

// A swarm that cannot come is an error for the function that waits for it.
func TestSwarmFails(t *testing.T) {
	to := answering(t, func(net.Conn) {})
	nowhere := func(int) netip.Addr { return netip.MustParseAddr("192.0.2.1") }
	s := (&swarm{to: to, from: nowhere, size: 1, most: 1}).start()
	if err := s.turnsOver(); err == nil {
		t.Error("no error from those who wait for it")
	}
	if err := s.stop(); err == nil {
		t.Error("no error at the end")
	}
}

func loopback(int) netip.Addr { return netip.MustParseAddr("127.0.0.1") }

// answering serves each connection until the end of the test.
func answering(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// A name stands for all that begin with it, as "flood" does.
func TestChoose(t *testing.T) {
	for only, want := range map[string]string{
		"memory": "memory", "guard": "guard-message guard-memory",
		"flood-idle,ledger": "flood-idle ledger",
		"flood": "flood-blocked flood-networks flood-quiet flood-idle flood-blocks " +
			"flood-readers",
	} {
		chosen, err := choose(only)
		var got []string
		for _, m := range chosen {
			got = append(got, m.name)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("-only %s: %s, %v; want %s", only, strings.Join(got, " "), err, want)
		}
	}
	if _, err := choose("floo"); err == nil {
		t.Error("-only floo: no error")
	}
}

// Attacks have a table of their own, behind the rows that have values.
func TestSiegesApart(t *testing.T) {
	b := besieged{Attack: "an attack", Door: theRoom, Attackers: "9 at a time"}
	table := table{Rows: []row{{What: "an attack: the room", Siege: &b},
		{What: "none", Error: "why"}}}
	var plain strings.Builder
	file := filepath.Join(t.TempDir(), "rows.md")
	if err := errors.Join(table.write(&plain), table.writeMarkdown(file)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"table": plain.String(),
		"documentation": string(text)} {
		rows, sieges, _ := strings.Cut(text, "newcomers\n\nan attack\n")
		if !strings.Contains(rows, "why\n") || !strings.Contains(sieges, "    the room ") ||
			strings.Contains(rows, "an attack: the room") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}
