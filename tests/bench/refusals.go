package main

import (
	"net/netip"
	"os"
)

// The programs of others that refuse, measured where they are installed.
const (
	tcpd = "/usr/sbin/tcpd"
	perl = "/usr/bin/perl"
)

// cpuTarget is what a refusal may cost: so many times the smallest Go program,
// with configuration, ledger, reply and log line.
const cpuTarget = 1.25

// measureRefused measures clients that speak before the greeting.
func measureRefused(l *lab) ([]row, error) {
	i, err := l.instance("refused", "mta "+l.program("stub"))
	if err != nil {
		return nil, err
	}
	us := i.peer("554 5.5.1 ")
	peers := []peer{us, us.oneCPU(), l.goFloor(), l.cFloor()}
	// The Perl sendwrap lets 127/8 pass: it refuses our own network's clients only.
	if file := os.Getenv("PERL_SENDWRAP"); file != "" && l.isolated {
		peers = append(peers, peer{name: "Perl", argv: []string{perl, file}})
	}
	got, err := l.compare(peers, "PREGREET", l.client, slam)
	if err != nil {
		return nil, err
	}
	cpu, answer := got.reduce(meanCPU), got.reduce(medianAnswer)
	return []row{
		cpu.row("CPU of a refused client: spoke early", "ms").atMost(cpu, goFloor, cpuTarget),
		answer.row("time to refusal: spoke early", "ms").against(answer, goFloor),
	}, nil
}

// measureDenied measures clients of a network that the configuration denies.
func measureDenied(l *lab) ([]row, error) {
	i, err := l.instance("denied", "mta "+l.program("stub"), "deny "+l.network.String())
	if err != nil {
		return nil, err
	}
	peers := []peer{i.peer("554 5.7.1 "), l.goFloor(), l.cFloor()}
	if l.isolated && exists(tcpd) && exists(hostsDeny) {
		peers = append(peers, peer{name: "tcpd", file: tcpd, argv: []string{l.program("stub")}, slow: true})
	}
	got, err := l.compare(peers, "DENIED", l.client, slam)
	if err != nil {
		return nil, err
	}
	cpu, answer := got.reduce(meanCPU), got.reduce(medianAnswer)
	return []row{
		cpu.row("CPU of a refused client: network denied", "ms").atMost(cpu, goFloor, cpuTarget),
		answer.row("time to refusal: network denied", "ms").against(answer, goFloor),
	}, nil
}

// measureBlocked measures a client that the ledger blocks.
func measureBlocked(l *lab) ([]row, error) {
	i, err := l.instance("blocked", "mta "+l.program("stub"))
	if err != nil {
		return nil, err
	}
	client := l.client()
	if _, err := i.command("block", client.String(), "1h"); err != nil {
		return nil, err
	}
	peers := []peer{i.peer("421 4.7.1 "), l.goFloor(), l.cFloor()}
	got, err := l.compare(peers, "BLOCKED", func() netip.Addr { return client }, slam)
	if err != nil {
		return nil, err
	}
	cpu, answer := got.reduce(meanCPU), got.reduce(medianAnswer)
	return []row{
		cpu.row("CPU of a refused client: blocked", "ms").atMost(cpu, goFloor, cpuTarget),
		answer.row("time to refusal: blocked", "ms").against(answer, goFloor),
	}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
