package main

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What the compiling of a million networks may take.
const (
	compileMillis = 5000
	compileMB     = 500
)

// measureCompile measures how long `sendwrap compile` takes for many networks, and its memory.
func measureCompile(l *bench) {
	n := 1_000_000
	if l.quick {
		n /= 10
	}
	if !l.door {
		l.put(row{What: "sendwrap compile", Skipped: "-sendwrap names a program without a door"})
		return
	}
	i := &instance{program: l.program("sendwrap"), log: l.log}
	i.conf = filepath.Join(l.dir, "compile.conf")
	// Several networks a line: with one each, the file would be larger than a file may be.
	lines := strings.SplitAfter(allowLines(n), "\n")
	for k := range lines {
		if k%100 > 0 {
			lines[k-1] = strings.TrimSuffix(lines[k-1], "\n")
			lines[k] = strings.TrimPrefix(lines[k], "allow")
		}
	}
	text := "mta " + l.program("stub") + "\n" + strings.Join(lines, "")
	check(os.WriteFile(i.conf, []byte(text), 0o600))
	type cost struct{ took, memory float64 }
	got := must(takeTurns(l.fewer(l.slices), []peer{{name: ours}}, func(peer) ([]cost, error) {
		cmd := osexec.Command(i.program, "compile", "-f", i.conf)
		began := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("sendwrap compile: %w\n%s", err, out)
		}
		took := time.Since(began)
		usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		return []cost{{ms(took), float64(usage.Maxrss) / 1000}}, nil
	}))
	took := got.reduce(func(c []cost) float64 { return c[0].took })
	memory := got.reduce(func(c []cost) float64 { return c[0].memory })
	what := fmt.Sprintf("sendwrap compile: %d networks", n)
	l.put(took.row(what, "ms").within(compileMillis),
		memory.row(what+", most memory", "MB").within(compileMB))
}
