package main

import (
	"bufio"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// What the report of a million lines may take.
const (
	reportMillis = 4000
	reportMB     = 100
)

// measureReport measures how long `sendwrap report` takes for a long log, and its memory: once of
// few clients, and once of as many as it has lines.
func measureReport(l *bench) {
	n := 1_000_000
	if l.quick {
		n /= 10
	}
	for _, clients := range []int{1000, n} {
		log := filepath.Join(l.dir, "mail.log")
		check(writeLog(log, n, clients))
		type cost struct{ took, memory float64 }
		got := must(takeTurns(l.fewer(l.slices), []peer{{name: ours}}, func(peer) ([]cost, error) {
			cmd := osexec.Command(l.program(fullProgram)+"-view", "report", log)
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("sendwrap report: %w\n%s", err, out)
			}
			took := time.Since(began)
			usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			return []cost{{ms(took), float64(usage.Maxrss) / 1000}}, nil
		}))
		took := got.reduce(func(c []cost) float64 { return c[0].took })
		memory := got.reduce(func(c []cost) float64 { return c[0].memory })
		what := fmt.Sprintf("sendwrap report: %d lines of %d clients", n, clients)
		l.put(took.row(what, "ms").within(reportMillis),
			memory.row(what+", most memory", "MB").within(reportMB))
	}
}

// writeLog writes a log of that many lines, of which a third are refusals.
func writeLog(name string, n, clients int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		at := begin.Add(time.Duration(i) * time.Second)
		c := i * 7919 % clients
		what := "KNOWN"
		ends := "conns=1/50"
		switch i % 3 {
		case 0:
			what = "PREGREET"
			ends = fmt.Sprintf("wait=%d.%02ds/6s conns=1/50 strikes=1/3 reply=554 kind=ehlo "+
				`bytes=10 data="EHLO bot\r\n"`, i%5, i%100)
		case 1:
			what, ends = "PASS", "wait=6s/6s conns=1/50 score=1/3 lists=zen:127.0.0.4*1"
		}
		fmt.Fprintf(w, "%s mx sendwrap[%d]: %s client=[10.%d.%d.%d]:4000 server=[198.51.100.5]:25 "+
			"%s\n", at.Format(time.RFC3339), i%30000, what, c>>16&255, c>>8&255, c&255, ends)
	}
	return w.Flush()
}
