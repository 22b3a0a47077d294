package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

const markdownHead = `# Benchmarks

Written by ` + "`make bench`" + `; tests/bench/main.go says how it measures. On the right is
sendwrap's figure; below it are its ratio to another program's, its target, and the others' figures.

The first rows hold on every machine. They count what a program does for one client that it refuses
since it speaks early: a process each from the return of execve to its end, without what client and
super-server do; the room and postscreen (its process alone, not Postfix's master) while 1,000
clients come, less what they do in the same time without clients. Every program is bound to one
CPU. "… of threads that sleep and wake" are futex(2) and its kin: how many there are depends on
which thread is quicker. In parentheses are the least and the most of all runs.

` + "```\n"

// writeMarkdown writes the rows to a file of the documentation, in lines of at most 100 columns.
func (t table) writeMarkdown(file string) error {
	const width = 100
	var b strings.Builder
	b.WriteString(markdownHead)
	for _, part := range strings.Split(t.Heading, "; ") {
		fmt.Fprintln(&b, part)
	}
	for _, r := range t.Rows {
		if r.Siege != nil {
			continue
		}
		what, value, more := r.spoken()
		if value != "" {
			what += fmt.Sprintf("%*s", width-utf8.RuneCountInString(what), value)
		}
		fmt.Fprintf(&b, "\n%s\n", what)
		writeWrapped(&b, width, "   ", strings.Join(more, "; "))
	}
	b.WriteString("```\n")
	var calls strings.Builder
	if t.writeCalls(&calls); calls.Len() > 0 {
		b.WriteString(callsHead + strings.TrimPrefix(calls.String(), "\n") + "```\n")
	}
	if sieges := t.sieges(); len(sieges) > 0 {
		b.WriteString(siegesHead)
		writeSieges(&b, sieges)
		b.WriteString("```\n")
	}
	return os.WriteFile(file, []byte(b.String()), 0o644)
}

// writeWrapped writes a text in lines of at most width columns, each behind the indent and a blank.
func writeWrapped(w io.Writer, width int, indent, text string) {
	line := indent
	for _, word := range strings.Fields(text) {
		if utf8.RuneCountInString(line+" "+word) > width {
			fmt.Fprintln(w, line)
			line = indent
		}
		line += " " + word
	}
	if line != indent {
		fmt.Fprintln(w, line)
	}
}
