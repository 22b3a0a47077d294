package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// networksTarget is what a configuration of 10,000 networks may cost: so many
// times one of 10.
const networksTarget = 3.5

// measureNetworks measures what it costs that the configuration names many
// networks, none of which holds the client.
func measureNetworks(l *lab) ([]row, error) {
	counts := []int{10, 1_000, 10_000, 100_000}
	if l.quick {
		counts = counts[:3]
	}
	var peers []peer
	for _, n := range counts {
		name := fmt.Sprintf("networks-%d", n)
		allow := filepath.Join(l.dir, name+".allow")
		if err := os.WriteFile(allow, []byte(allowLines(n)), 0o600); err != nil {
			return nil, err
		}
		i, err := l.instance(name, "mta "+l.program("stub"), "include "+allow)
		if err != nil {
			return nil, err
		}
		p := i.peer("554 5.5.1 ")
		p.name = name
		peers = append(peers, p)
	}
	got, err := l.fewer(4).compare(peers, "PREGREET", l.client, slam)
	if err != nil {
		return nil, err
	}
	cpu := got.reduce(meanCPU)
	var rows []row
	for i, p := range peers {
		r := row{
			What:   fmt.Sprintf("CPU of a refused client: %d networks configured", counts[i]),
			Unit:   "ms",
			Values: []value{{ours, cpu.median(p.name)}},
		}
		if i > 0 {
			r.Ratio, r.Against = cpu.ratio(p.name, peers[0].name), "10 networks"
		}
		if counts[i] == 10_000 {
			r.Target, r.Missed = networksTarget, r.Ratio > networksTarget
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// allowLines returns n allow directives with networks of the kinds that
// administrators list, none of which holds any client of ours.
func allowLines(n int) string {
	var b strings.Builder
	for i := range n {
		network := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32)
		switch i % 4 {
		case 1:
			network = netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		case 3:
			network = netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 16), byte(i >> 8), byte(i)}), 56)
		}
		fmt.Fprintf(&b, "allow %v\n", network)
	}
	return b.String()
}
