package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// What stands in the table stands in the documentation, too, in lines of 100 columns.
func TestMarkdown(t *testing.T) {
	r := row{What: "memory", Unit: "kB", Late: "over its budget of 1m0s: 1 of 3 rounds",
		Values: []value{
			{Peer: ours, Value: 2.5}, {Peer: postscreen, Value: 4, Low: 3, High: 5},
			{Peer: "a process each", Value: 950}, {Peer: "xinetd", Value: 1},
			{Peer: "inetd", Value: 0.5},
		}}
	file := filepath.Join(t.TempDir(), "rows.md")
	table := table{Heading: "2026-11-21; commit 1",
		Rows: []row{r.within(1), {What: "none", Error: "why"}}}
	if err := table.writeMarkdown(file); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```\n")
	want := "2026-11-21\ncommit 1\n\n" +
		"memory" + strings.Repeat(" ", 87) + "2.50 kB\n" +
		"    <= 1 kB: MISSED; postscreen 4.00 (3.00 to 5.00); a process each 950; xinetd 1.00; " +
		"inetd 0.50;\n" +
		"    over its budget of 1m0s: 1 of 3 rounds\n\n" +
		"none\n    FAILED: why\n```\n"
	if block != want {
		t.Errorf("got\n%swant\n%s", block, want)
	}
	for line := range strings.Lines(string(text)) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestTable(t *testing.T) {
	cpu := series{ours: {1.5, 1.5}, goFloor: {1, 1.2}, cFloor: {0.25, 0.25}, "tcpd": {120, 120}}
	table := table{Heading: "machine", Rows: []row{
		cpu.row("CPU", "ms").atMost(cpu, goFloor, 1.4),
		cpu.row("time", "ms").atMost(cpu, goFloor, 1.25),
		{What: "ledger", Unit: "µs", Values: []value{{Peer: ours, Value: 55}}, Target: 60,
			Absolute: true},
		{What: "room", Ratio: 0.0517, Against: "each", Target: 0.05, Missed: true},
		{What: "session", Skipped: "no sendmail"},
	}}
	const want = `
machine

what         sendwrap  Go floor  C floor  ratio              target             others
CPU      ms      1.50      1.10     0.25   1.38  x Go floor  <= 1.4    ok       tcpd 120
time     ms      1.50      1.10     0.25   1.38  x Go floor  <= 1.25   MISSED   tcpd 120
ledger   µs      55.0                                        <= 60 µs  ok
room                                      0.052  x each      <= 0.05   MISSED
session                                                                skipped  no sendmail
`
	var got strings.Builder
	if err := table.write(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want[1:] {
		t.Errorf("got\n%s\nwant%s", got.String(), want)
	}
}
