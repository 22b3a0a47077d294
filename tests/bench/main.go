// Bench measures what sendwrap costs beside the least that any wrapper can cost.
//
//	go run ./tests/bench [-quick] [-rounds N] [-only NAME,...] [-json] [-sendwrap FILE]
//	                     [-before FILE] [-budget DURATION] [-markdown FILE]
//
// Each row is printed when it is done, and all of them as a table at the end. A measurement is a
// process of its own, in mount, network, process and host name namespaces of its own: sendwrap
// finds a /dev/log that is really read, host names need no DNS, and what the measurement has
// started is gone when it ends. It has a budget of time. When that is used up, it ends with the
// next turn, and its rows say so; one that hangs is killed a little later. The next measurement
// follows, whatever became of the one before. The exit code is 1 if one has failed.
//
// The first rows count: system calls, page faults, threads. They are nearly the same on every
// machine. All others are times, or memory.
//
// The least are two programs built on the spot: the smallest Go program and the smallest static C
// program that poll fd 0 and exit (testdata). The machine may be noisy: all programs take turns in
// every round, a value is the median of the rounds, a ratio the median of the rounds' own ratios.
// tcpd and sendmail are measured where they are installed.
//
// The room, sendwrap as one process for all clients, is measured beside Postfix's postscreen and
// beside xinetd where tests/setup.sh has unpacked them, and beside sendwrap as a process for each
// client. Their CPU time is the scheduler's own sum for each of their processes, threads that have
// ended included.
//
// The promises in time, of which the tests only see that they are kept at all, are measured with
// their bounds: how long after `sendwrap block` a waiting client is refused, and the like.
//
// The guard is measured in front of a real sendmail, and of Postfix: what dictionary attacks learn
// and cost with it and without, by the MTA's own means too; what it adds to an honest message; what
// a session takes of its memory.
//
// The floods (-only flood) measure how known clients fare while an attacker wants the port for
// itself, at a door of each kind: under inetd, in the room, at postscreen. -before names an older
// sendwrap, which is measured there beside the other, on the same machine in the same minute. What
// the door does about its known clients is counted while nobody attacks; with an attacker, what
// clients hear is the result.
//
// A number is only printed if the run was what it claims to be: every reply is compared, and
// sendwrap's own counts (`sendwrap status -json`) and log lines must have grown by just the
// verdicts meant. Anything else is a row that has failed. A missed target is none: it is marked in
// the table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// options are the command line.
type options struct {
	rounds   int           // how many rounds a median is made of
	quick    bool          // small numbers: to try the program, not to quote
	json     bool          // JSON instead of a table
	only     string        // comma-separated names of measurements; "" = all
	sendwrap string        // measure this program instead of building one
	before   string        // measure this one, too, in floods; "" = none
	budget   time.Duration // of each measurement; 0: its own
	markdown string        // the file for the rows of a whole run
}

func main() {
	if ledger := os.Getenv(holdName); ledger != "" {
		lab.HoldLock(ledger)
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "how many rounds a median is made of")
	flag.BoolVar(&o.quick, "quick", false, "fewer rounds and clients: a trial, not to be quoted")
	flag.BoolVar(&o.json, "json", false, "print JSON")
	flag.StringVar(&o.only, "only", "",
		"measure only these, comma-separated, or those whose names begin so: "+
			strings.Join(names(), ", "))
	flag.StringVar(&o.sendwrap, "sendwrap", "", "measure this program instead of building sendwrap")
	flag.StringVar(&o.before, "before", "", "in floods, measure this older sendwrap, too")
	flag.DurationVar(&o.budget, "budget", 0,
		"how long each measurement may take; 0: its own budget")
	flag.StringVar(&o.markdown, "markdown", "", "write the rows of a whole run to this file, too")
	flag.Parse()
	if name := os.Getenv(insideName); name != "" {
		work := func() int { return inside(o, name) }
		os.Exit(lab.Isolate(lab.Setup{Prepare: prepare, Run: work}))
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run builds the programs, has each measurement made, and prints the table.
func run(o options) error {
	chosen, err := choose(o.only)
	switch {
	case err != nil:
		return err
	case o.rounds < 1:
		return fmt.Errorf("-rounds %d: at least 1", o.rounds)
	case o.markdown != "" && (o.only != "" || o.quick || o.sendwrap != "" || o.before != ""):
		return errors.New(
			"-markdown is for a whole run: leave out -only, -quick, -sendwrap and -before")
	case os.Geteuid() != 0:
		return errors.New("run it as root: it measures in namespaces of its own")
	}
	// Before anything that a signal must not leave behind. SIGPIPE: the reader of the rows has
	// gone. And `go run` passes no signal on.
	orphaned := lab.Orphaned()
	signalled, stop := signal.NotifyContext(context.Background(),
		unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGPIPE)
	defer stop()
	ctx, cancel := context.WithCancel(signalled)
	go func() { <-orphaned; cancel() }()
	t := table{Heading: heading(o)} // before anything here changes the tree
	dir, err := lab.MakeDir("sendwrap-bench-", func(old string) {
		_ = removeMemoryGroup(groupName(old))
	})
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir) // what a compiler leaves that is interrupted goes, too
	if err := build(dir, o.sendwrap, o.before); err != nil {
		return err
	}
	progress := io.Writer(os.Stdout)
	if o.json {
		progress = os.Stderr
	}
	fmt.Fprintf(progress, "%s\n\n", t.Heading)
	for _, m := range chosen {
		if ctx.Err() != nil {
			break
		}
		isolated(ctx, o, dir, m, func(r row) {
			t.Rows = append(t.Rows, r)
			fmt.Fprintln(progress, r.line())
		})
	}
	if o.json {
		err = t.writeJSON(os.Stdout)
	} else {
		fmt.Println()
		err = t.write(os.Stdout)
	}
	if ctx.Err() != nil {
		return errors.Join(err, errors.New("interrupted"))
	}
	if o.markdown != "" {
		err = errors.Join(err, t.writeMarkdown(o.markdown))
	}
	if failed := t.failed(); failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d measurements have failed", failed))
	}
	return err
}
