package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// measureAccessMap measures what a long access map costs a client that it says nothing of.
func measureAccessMap(l *bench) {
	counts := []int{10, 100_000}
	if l.quick {
		counts[1] = 10_000
	}
	var peers []peer
	for _, n := range counts {
		name := fmt.Sprintf("access-%d", n)
		file := filepath.Join(l.dir, name+".map")
		check(os.WriteFile(file, []byte(mapLines(n)), 0o600))
		i := l.instance(name, "mta "+l.program("stub"), "access "+file)
		peers = append(peers, i.peer(earlyReply).called(fmt.Sprint(ours, " ", n)))
	}
	cpu := l.fewer(4).compare(peers, "PREGREET", l.client, slam).reduce(meanCPU)
	for _, n := range counts {
		name := fmt.Sprint(ours, " ", n)
		r := oursAlone(fmt.Sprintf("CPU of a refused client: access map of %d lines", n), "ms",
			cpu.median(name))
		if n > 10 {
			r.Ratio, r.Against = cpu.ratio(name, ours+" 10"), "10 lines"
			r.Target, r.Missed = compiledTarget, r.Ratio > compiledTarget
		}
		l.put(r)
	}
}

// mapLines returns n lines of an access map with keys of all kinds, none of which holds a client of
// ours.
func mapLines(n int) string {
	var b strings.Builder
	for i := range n {
		high, mid, low := byte(i>>16), byte(i>>8), byte(i)
		switch i % 5 {
		case 0:
			fmt.Fprintf(&b, "Connect:%d.%d.%d.1\tREJECT\n", 11+high, mid, low)
		case 1:
			fmt.Fprintf(&b, "host%d.example\tERROR:5.7.1:550 of list %d\n", i, i%50)
		case 2:
			fmt.Fprintf(&b, "GreetPause:%d.%d.%d\t%d\n", 11+high, mid, low, i%9000)
		case 3:
			fmt.Fprintf(&b, "ClientRate:IPv6:2001:db8:%x:%x\t%d\n", i>>8, low, i%100)
		default:
			fmt.Fprintf(&b, "ClientConn:%d.%d.%d.1\t%d\n", 11+high, mid, low, i%20)
		}
	}
	return b.String()
}
