// Bench measures what sendwrap costs beside the least that any wrapper can
// cost, and prints one table.
//
//	go run ./tests/bench [-quick] [-rounds N] [-only NAME,...] [-json] [-sendwrap FILE]
//
// The least are two programs built on the spot: the smallest Go program and the
// smallest static C program that poll fd 0 and exit (testdata). The machine may
// be noisy: all programs take turns in every round, a value is the median of the
// rounds, a ratio the median of the rounds' own ratios. tcpd and sendmail are
// measured where they are installed, the Perl sendwrap of 2004 where the
// environment variable PERL_SENDWRAP names its file.
//
// The room, sendwrap as one process for all clients, is measured beside Postfix's
// postscreen and beside xinetd where tests/setup.sh has unpacked them, and beside
// sendwrap as a process for each client. Their CPU time is the scheduler's own
// sum for each of their processes, threads that have ended included.
//
// The guard is measured in front of a real sendmail, and of Postfix: what dictionary attacks learn and cost with it and
// without, by the MTA's own means too; what it adds to an honest message; what a session takes of its memory.
//
// As root everything runs in private mount, network, process and host name
// namespaces (isolate.go): sendwrap finds a /dev/log that is really read, host
// names need no DNS, nothing is seen from outside and nothing is left behind.
// Without root the log lines go nowhere, which the table's heading says.
//
// A number is only printed if the run was what it claims to be: every reply is
// compared, and sendwrap's own counts (`sendwrap status -json`) and log lines
// must have grown by just the verdicts meant. Anything else ends the program
// with exit code 1. A missed target does not: it is marked in the table.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

// limit ends a run that hangs; a whole run takes about half of it.
const limit = 10 * time.Minute

// options are the command line.
type options struct {
	rounds   int    // how many rounds a median is made of
	quick    bool   // small numbers: to try the program, not to quote
	json     bool   // JSON instead of a table
	only     string // comma-separated names of measurements; "" = all
	sendwrap string // measure this program instead of building one
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how many rounds a median is made of")
	flag.BoolVar(&o.quick, "quick", false, "fewer rounds, connections and clients: a trial, not to be quoted")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.StringVar(&o.only, "only", "", "measure only these, comma-separated: "+strings.Join(names(), ", "))
	flag.StringVar(&o.sendwrap, "sendwrap", "", "measure this program instead of building sendwrap")
	flag.Parse()
	err := run(o)
	if err == nil {
		return
	}
	if err != errToldInside {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	os.Exit(1)
}

// run builds the programs and measures them, in namespaces of its own if it can.
func run(o options) error {
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds %d: at least 1", o.rounds)
	}
	if dir := os.Getenv(isolatedDir); dir != "" {
		return measure(o, chosen, dir, true)
	}
	dir, err := os.MkdirTemp("", "sendwrap-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(dir, o.sendwrap); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		return isolate(dir)
	}
	return measure(o, chosen, dir, false)
}

// measure runs the chosen measurements with the programs in dir and prints the table.
func measure(o options, chosen []measurement, dir string, isolated bool) error {
	overdue := time.AfterFunc(limit, func() {
		fmt.Fprintf(os.Stderr, "bench: not done after %v; try -quick or -only\n", limit)
		os.Exit(1)
	})
	defer overdue.Stop()
	if isolated {
		if err := furnish(dir); err != nil {
			return err
		}
	}
	l, err := newLab(o, dir, isolated)
	if err != nil {
		return err
	}
	t := table{Heading: l.heading()}
	for _, m := range chosen {
		l.rewind()
		rows, err := m.run(l)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		t.Rows = append(t.Rows, rows...)
	}
	if o.json {
		return t.writeJSON(os.Stdout)
	}
	return t.write(os.Stdout)
}
