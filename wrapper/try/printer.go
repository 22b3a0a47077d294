package try

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper"
)

// printer writes the show: a line for each scene, the left half when it begins and the right half when it is over.
type printer struct {
	out io.Writer
	err error // the first that writing met: nobody reads any more
}

func (p *printer) print(format string, args ...any) {
	if _, err := fmt.Fprintf(p.out, format, args...); p.err == nil {
		p.err = err
	}
}

func (p *printer) say(line string) { p.print("%s\n", line) }

// The widths of the columns: what is longer is cut, or moves the rest of its line.
const (
	whoWidth     = 10
	doesWidth    = 31
	sawWidth     = 34
	verdictWidth = 27
)

func (p *printer) begin(sc scene) {
	who := sc.who.String()
	if sc.ends {
		who = "the room"
	}
	p.print("%-*s  %-*s  ", whoWidth, who, doesWidth, sc.does)
}

// complaints is how many lines about one scene are enough to see what is wrong.
const complaints = 6

func (p *printer) end(sc scene, s seen) {
	verdicts := s.verdicts.String()
	if sc.ends {
		verdicts = ""
	}
	p.print("%-*s  %-*s  %6s\n", sawWidth, cut(summary(s.sights), sawWidth), verdictWidth, verdicts, inSeconds(slowest(s.sights)))
	if sc.note != nil && len(s.wrong) == 0 {
		p.print("%-*s  %s\n", whoWidth, "", sc.note())
	}
	if s.note != "" {
		p.print("%-*s  %s\n", whoWidth, "", s.note)
	}
	for i, text := range s.wrong {
		if i == complaints {
			p.print("  ! and %d more\n", len(s.wrong)-i)
			break
		}
		p.say("  ! " + strings.ReplaceAll(text, "\n", "\n    "))
	}
}

func (p *printer) departure(d departure) {
	how := fmt.Sprint(d.state)
	if d.err != nil {
		how = d.err.Error()
	}
	p.print("%v ended after %s: %s\n", d.client, inSeconds(d.after), how)
}

// summary is what the clients of a scene saw: the line if there is one client, else how many saw which reply.
func summary(sights []sight) string {
	if len(sights) == 1 {
		return strings.Replace(sights[0].reply, " "+wrapper.MachineName()+" ", " ", 1) // the same in all lines
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

// cut shortens text to so many characters; replies are ASCII, or should be: what is not must not reach a terminal.
func cut(text string, width int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r > 0x7e && r != '×' {
			return '?'
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}
