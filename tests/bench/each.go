package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"sendwrap/tests/lab"
)

// tcpd is another program that refuses, measured if it is installed.
const tcpd = "/usr/sbin/tcpd"

// cpuTarget is what a refusal may cost, in multiples of the smallest Go program: with
// configuration, ledger, reply and log line.
const cpuTarget = 1.25

// The replies by which sendwrap refuses.
const (
	earlyReply   = "554 5.5.1 "
	deniedReply  = "554 5.7.1 "
	blockedReply = "421 4.7.1 "
)

// measureRefused measures clients that a process each refuses: that speak before the greeting,
// whose network the configuration denies, that the ledger blocks.
func measureRefused(l *bench) {
	bad := l.client()
	for _, kind := range []struct {
		what, verdict, reply, directive string
		from                            func() netip.Addr
	}{
		{"spoke early", "PREGREET", earlyReply, "", l.client},
		{"network denied", "DENIED", deniedReply, "deny " + l.network.String(), l.client},
		{"blocked", "BLOCKED", blockedReply, "", func() netip.Addr { return bad }},
	} {
		i := l.instance(strings.ToLower(kind.verdict), "mta "+l.program("stub"), kind.directive)
		must(i.command("block", bad.String(), "1h"))
		us := i.peer(kind.reply)
		peers := []peer{us, l.goFloor(), l.cFloor()}
		switch {
		case kind.reply == earlyReply:
			peers = append(peers, us.oneCPU())
		case kind.reply == deniedReply && lab.Lack(tcpd, hostsDeny) == "":
			stub := []string{l.program("stub")}
			peers = append(peers, peer{name: "tcpd", file: tcpd, argv: stub, slow: true})
		}
		got := l.compare(peers, kind.verdict, kind.from, slam)
		cpu, answer := got.reduce(meanCPU), got.reduce(medianAnswer)
		l.put(cpu.row("CPU of a refused client: "+kind.what, "ms").atMost(cpu, goFloor, cpuTarget),
			answer.row("time to refusal: "+kind.what, "ms").against(answer, goFloor))
	}
}

// measureStart measures how much later the MTA greets because of the program in front of it:
// without any greet delay, for a client that is not known yet.
func measureStart(l *bench) {
	i := l.instance("start", "mta "+l.program("stub"), "greet_delay 0s")
	direct := peer{name: "none", argv: []string{l.program("stub")}, says: stubGreeting}
	peers := []peer{
		i.peer(stubGreeting),
		{name: goFloor, argv: []string{l.program("floor-go-mta")}, says: stubGreeting},
		{name: cFloor, argv: []string{l.program("floor-c-mta")}, says: stubGreeting},
		direct,
	}
	got := l.compare(peers, "PASS", l.client, "")
	added := got.reduce(medianAnswer).minus(direct.name)
	l.put(added.row("start to exec, added to the greeting", "ms").against(added, goFloor))
}

// networksTarget is what a configuration of 10,000 networks may cost, in multiples of one of 10.
const networksTarget = 3.5

// measureNetworks measures the cost of a configuration with many networks, none of which holds the
// client.
func measureNetworks(l *bench) {
	counts := []int{10, 1_000, 10_000, 100_000}
	if l.quick {
		counts = counts[:3]
	}
	var peers []peer
	for _, n := range counts {
		name := fmt.Sprintf("networks-%d", n)
		allow := filepath.Join(l.dir, name+".allow")
		check(os.WriteFile(allow, []byte(allowLines(n)), 0o600))
		i := l.instance(name, "mta "+l.program("stub"), "include "+allow)
		peers = append(peers, i.peer(earlyReply).called(name))
	}
	got := l.fewer(4).compare(peers, "PREGREET", l.client, slam)
	cpu := got.reduce(meanCPU)
	for i, p := range peers {
		what := fmt.Sprintf("CPU of a refused client: %d networks configured", counts[i])
		r := oursAlone(what, "ms", cpu.median(p.name))
		if i > 0 {
			r.Ratio, r.Against = cpu.ratio(p.name, peers[0].name), "10 networks"
		}
		if counts[i] == 10_000 {
			r.Target, r.Missed = networksTarget, r.Ratio > networksTarget
		}
		l.put(r)
	}
}

// allowLines returns n allow directives with networks of the kinds that administrators list, none
// of which holds any client of ours.
func allowLines(n int) string {
	var b strings.Builder
	for i := range n {
		high, mid, low := byte(i>>16), byte(i>>8), byte(i)
		switch i % 4 {
		case 1:
			fmt.Fprintf(&b, "allow %d.%d.%d.0/24\n", 11+high, mid, low)
		case 3:
			fmt.Fprintf(&b, "allow 2001:db8:%x:%x::/56\n", i>>8, int(low)<<8)
		default:
			fmt.Fprintf(&b, "allow 10.%d.%d.%d\n", high, mid, low)
		}
	}
	return b.String()
}
