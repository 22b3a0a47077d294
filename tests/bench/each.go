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
		peers := append(l.withText(us), l.goFloor(), l.cFloor())
		if kind.reply == deniedReply && lab.Lack(tcpd, hostsDeny) == "" {
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
	peers := append(l.withText(i.peer(stubGreeting)), l.goFloorMTA(), direct,
		peer{name: cFloor, argv: []string{l.program("floor-c-mta")}, says: stubGreeting})
	got := l.compare(peers, "PASS", l.client, "")
	added := got.reduce(medianAnswer).minus(direct.name)
	cpu := got.reduce(meanCPU).minus(direct.name)
	l.put(added.row("start to exec, added to the greeting", "ms").atMost(added, goFloor, cpuTarget),
		cpu.row("CPU of a passed client, without the MTA's", "ms").atMost(cpu, goFloor, cpuTarget))
}

// goFloorMTA is the Go floor that becomes the stub.
func (l *bench) goFloorMTA() peer {
	return peer{name: goFloor, argv: []string{l.program("floor-go-mta")}, says: stubGreeting}
}

// What many networks may cost, in multiples of 10: 100,000 that are compiled, and 10,000 that are
// read as text.
const (
	compiledTarget = 1.1
	textTarget     = 3.5
)

// measureNetworks measures the cost of a configuration with many networks, none of which holds the
// client.
func measureNetworks(l *bench) {
	counts := []int{10, 10_000, 100_000}
	if l.quick {
		counts = counts[:2]
	}
	var peers []peer
	for _, n := range counts {
		name := fmt.Sprintf("networks-%d", n)
		allow := filepath.Join(l.dir, name+".allow")
		check(os.WriteFile(allow, []byte(allowLines(n)), 0o600))
		i := l.instance(name, "mta "+l.program("stub"), "include "+allow)
		for _, p := range l.withText(i.peer(earlyReply)) {
			peers = append(peers, p.called(fmt.Sprint(p.name, " ", n)))
		}
	}
	got := l.fewer(4).compare(peers, "PREGREET", l.client, slam)
	cpu := got.reduce(meanCPU)
	for _, n := range counts {
		name, text := fmt.Sprint(ours, " ", n), fmt.Sprint(fromText, " ", n)
		r := oursAlone(fmt.Sprintf("CPU of a refused client: %d networks configured", n), "ms",
			cpu.median(name))
		if n > 10 {
			r.Ratio, r.Against = cpu.ratio(name, ours+" 10"), "10 networks"
		}
		if n == 100_000 {
			r.Target, r.Missed = compiledTarget, r.Ratio > compiledTarget
		}
		l.put(r)
		if !l.door {
			continue
		}
		r = oursAlone("… the same, read as text", "ms", cpu.median(text))
		if n > 10 {
			r.Ratio, r.Against = cpu.ratio(text, fromText+" 10"), "10 networks"
		}
		if n == 10_000 {
			r.Target, r.Missed = textTarget, r.Ratio > textTarget
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
