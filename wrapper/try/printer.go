package try

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper"
)

// printer writes the show: a line for each scene, its left half when the scene begins and its right
// half when it is over.
type printer struct {
	out io.Writer
	err error // the first one of a write
}

func (p *printer) print(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); p.err == nil {
		p.err = err
	}
}

func (p *printer) println(line string) { p.print("%s\n", line) }

// The widths of the columns. What a client read is cut; other text that is longer moves the rest of
// its line.
const (
	whoWidth     = 10
	doesWidth    = 31
	sawWidth     = 34
	verdictWidth = 27
)

func (p *printer) left(who, does string) {
	p.print("%-*s  %-*s  ", whoWidth, who, doesWidth, does)
}

func (p *printer) right(saw, verdicts, took string) {
	p.print("%-*s  %-*s  %6s\n", sawWidth, saw, verdictWidth, verdicts, took)
}

// header names the columns.
func (p *printer) header() {
	p.left("client", "what it does")
	p.right("what it reads", "verdict", "after")
}

func (p *printer) begin(sc scene) { p.left(sc.who, sc.does) }

// mostProblems is how many lines about one scene are enough to see what is wrong.
const mostProblems = 6

func (p *printer) end(sc scene, r result) {
	verdicts := ""
	if r.verdicts != nil {
		verdicts = r.verdicts.String()
	}
	p.right(shorten(summary(r.sights), sawWidth), verdicts, inSeconds(slowest(r.sights)))
	note := r.note
	if sc.note != nil && len(r.problems) == 0 {
		note = sc.note()
	}
	if note != "" {
		p.print("%-*s  %s\n", whoWidth, "", note)
	}
	for i, text := range r.problems {
		if i == mostProblems {
			p.print("  ! and %d more\n", len(r.problems)-i)
			break
		}
		p.println("  ! " + strings.ReplaceAll(text, "\n", "\n    "))
	}
}

// exit prints how the process of a client has ended.
func (p *printer) exit(e processExit) {
	how := fmt.Sprint(e.state)
	if e.err != nil {
		how = e.err.Error()
	}
	p.print("%v ended after %s: %s\n", e.client, inSeconds(e.after), how)
}

// summary is what the clients of a scene saw: the reply of a single client, else how many saw
// which.
func summary(sights []sight) string {
	if len(sights) == 1 { // without our name, which is the same in all lines
		return strings.Replace(sights[0].reply, " "+wrapper.MachineName()+" ", " ", 1)
	}
	var replies []string
	seen := map[string]int{}
	for _, s := range sights {
		reply := code(s.reply)
		if seen[reply]++; seen[reply] == 1 {
			replies = append(replies, reply)
		}
	}
	slices.Sort(replies)
	for i, reply := range replies {
		replies[i] = fmt.Sprintf("%d× %s", seen[reply], reply)
	}
	return strings.Join(replies, ", ")
}

func slowest(sights []sight) time.Duration {
	var d time.Duration
	for _, s := range sights {
		d = max(d, s.took)
	}
	return d
}

// shorten cuts printable text to a number of characters.
func shorten(text string, width int) string {
	runes := []rune(printable(text))
	if len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return string(runes)
}

// printable replaces by ? what must not reach a terminal. Replies should be ASCII.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if (r < ' ' || r > '~') && r != '×' {
			return '?'
		}
		return r
	}, text)
}
