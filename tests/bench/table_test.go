package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	cpu := series{ours: {1.5, 1.5}, goFloor: {1, 1.2}, cFloor: {0.25, 0.25}, "tcpd": {120, 120}}
	table := table{Heading: "machine", Rows: []row{
		cpu.row("CPU", "ms").atMost(cpu, goFloor, 1.4),
		cpu.row("time", "ms").atMost(cpu, goFloor, 1.25),
		{What: "ledger", Unit: "µs", Values: []value{{Peer: ours, Value: 55}}, Target: 60, Absolute: true},
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
