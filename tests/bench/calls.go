package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// measureCalls lists the system calls that a process makes for one client, each with its reason. A
// call without a reason fails the row: so the list is kept.
func measureCalls(l *bench) {
	if len(callNames) == 0 {
		l.put(row{What: "system calls in their order", Skipped: "their names are known for amd64"})
		return
	}
	i := l.instance("calls", "mta "+l.program("stub"))
	l.listCalls(i, "a refused client", "PREGREET", i.peer(earlyReply), slam)
	i = l.instance("calls-passed", "mta "+l.program("stub"), "greet_delay 0s")
	p := i.peer(stubGreeting)
	p.becomes = l.program("stub")
	l.listCalls(i, "a passed client", "PASS", p, "")
}

// listCalls puts the row of one peer: the calls that most of its clients have caused. Which of the
// runtime's threads is quicker may change the order.
func (l *bench) listCalls(i *instance, who, verdict string, p peer, opening string) {
	const times = 11
	all := make(map[string][]listedCall)
	often := make(map[string]int)
	for range times {
		calls := must(reaching(p, verdict, 1, func() ([]listedCall, error) {
			var e eavesdropper
			e.names = i.files()
			_, err := l.traceProcess(p, l.client(), opening, e.hear)
			return e.calls, err
		}))
		key := fmt.Sprint(calls)
		all[key] = calls
		often[key]++
	}
	keys := slices.Sorted(maps.Keys(all))
	calls := all[slices.MaxFunc(keys, func(a, b string) int { return often[a] - often[b] })]
	n, unknown := 0, []string{}
	for _, c := range calls {
		n += c.Times
		if c.Why == "" {
			unknown = append(unknown, c.What)
		}
	}
	r := oursAlone("system calls of "+who+": a process each, in their order", "", float64(n))
	r.Calls = calls
	if len(unknown) > 0 {
		r.Error = fmt.Sprintf("no reason is known for %q; see tests/bench/reasons.go", unknown)
	}
	l.put(r)
}

// listedCall is a system call, or several of one kind after each other.
type listedCall struct {
	What  string `json:"what"` // its name, and what it is about
	Times int    `json:"times"`
	Why   string `json:"why"`
}

const callsHead = `
## System calls of a process for one client

In their order, each with its reason. Go's runtime makes most of them, before main begins. Those
with which threads wait for each other are left out.

` + "```\n"

// writeCalls prints the lists of all rows that have one.
func (t table) writeCalls(w io.Writer) {
	for _, r := range t.Rows {
		if len(r.Calls) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", r.What)
		for _, c := range r.Calls {
			times := ""
			if c.Times > 1 {
				times = fmt.Sprintf("%d x", c.Times)
			}
			line := fmt.Sprintf("%8s  %-28s  %s", times, c.What, c.Why)
			fmt.Fprintln(w, strings.TrimRight(line, " "))
		}
	}
}
