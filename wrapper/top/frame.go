package top

import (
	"errors"
	"fmt"
	"io"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// view is what the keys have chosen.
type view struct {
	ascii   bool
	first   int            // the table on which keys act
	cursor  int            // its row
	sorted  [numTables]int // how many columns behind the usual one
	turned  [numTables]bool
	filter  string
	paused  bool
	help    bool
	footer  string // "" = the keys
	message string // of the last command
}

// keys fit 80 columns; the help has all.
const keys = "q quit  ? help  1-4 list  arrows line  / filter  b block  u unblock  p pause"

// perTable is the least number of lines for which a further table is shown.
const perTable = 7

// frame draws everything, in height lines of that width at most.
func (p *Picture) frame(h *history, v *view, width, height int) (all []line) {
	if width <= 0 || height <= 0 {
		return nil
	}
	all = append(all, p.header(v))
	all = append(all, wrapped(p.Trouble, width)...)
	all = append(all, p.gauges(width, v.ascii)...)
	if h != nil && height >= 20 {
		all = append(all, h.graph(width, v.ascii)...)
	}
	footer := line{{keys, strong}}
	if v.footer != "" {
		footer = line{{v.footer, strong}}
	}
	all = append(all, wrapped(v.message, width)...)
	if v.help {
		all = append(all, helpLines()...)
	} else {
		all = append(all, p.body(v, height-len(all)-1)...)
	}
	all = all[:min(len(all), height-1)]
	for len(all) < height-1 {
		all = append(all, nil)
	}
	all = append(all, footer)
	for i := range all {
		all[i] = all[i].cut(width, v.ascii)
	}
	return all
}

// body are the chosen table and as many others as there is room for.
func (p *Picture) body(v *view, height int) (all []line) {
	p.arrange(v)
	n := max(1, min(numTables, height/perTable))
	for i := range n {
		t, cursor := &p.tables[(v.first+i)%numTables], -1
		if i == 0 {
			cursor = v.cursor
		}
		part := t.lines((height-len(all))/(n-i), cursor)
		for len(part) < (height-len(all))/(n-i) && i < n-1 {
			part = append(part, nil)
		}
		all = append(all, part...)
	}
	return all
}

// arrange sorts the tables as was chosen.
func (p *Picture) arrange(v *view) {
	for i := range p.tables {
		p.tables[i].arrange(v.sorted[i], v.turned[i])
	}
}

// header names what is unusual first, since it may be cut.
func (p *Picture) header(v *view) line {
	n := &p.Totals
	l := line{{"sendwrap top", strong}}
	if v.paused {
		l = append(l, span{"  paused", warning})
	}
	if p.Config.Mode == policy.Observe {
		l = append(l, span{"  observe: nobody is refused", warning})
	}
	if n.Stressed {
		l = append(l, span{"  stress", warning})
	}
	if v.filter != "" {
		l = append(l, span{"  filter " + v.filter, strong})
	}
	for _, r := range p.Rooms {
		age := ago(p.At.Sub(r.Started))
		l = append(l, span{fmt.Sprintf("  room %d for %s", r.PID, age), plain})
	}
	if p.usable {
		l = append(l, span{fmt.Sprintf("  networks %d of %d", n.Clients, n.Capacity), plain})
	}
	return l
}

// gauges are waiting and serving against their limits.
func (p *Picture) gauges(width int, ascii bool) (all []line) {
	waiting := p.Config.MaxWaiting
	if len(p.Rooms) > 0 {
		waiting = p.Config.RoomWaiting
	}
	for _, g := range []struct {
		name     string
		n, limit int
	}{{"waiting", p.Totals.Waiting, waiting}, {"serving", p.Totals.Serving, p.Config.MaxSessions}} {
		n, s := "-", served // where the ledger cannot be read
		if p.usable {
			n = fmt.Sprint(g.n)
		}
		numbers := fmt.Sprintf("%s %6s of %-6d ", g.name, n, g.limit)
		if g.n*5 >= g.limit*4 {
			s = warning
		}
		all = append(all, line{{numbers, plain},
			{gauge(g.n, g.limit, min(width-len(numbers), 100), ascii), s}})
	}
	return all
}

// wrapped are the lines of a warning, three at most; none for "".
func wrapped(s string, width int) (all []line) {
	for left := []rune(s); len(left) > 0 && len(all) < 3; {
		n := min(width, len(left))
		all = append(all, line{{string(left[:n]), warning}})
		left = left[n:]
	}
	return all
}

func helpLines() (all []line) {
	for _, s := range []string{
		"1 networks that come most   2 refused most   3 with sessions   4 blocks   Tab the next",
		"came, refused: of late; the counts are halved every four minutes",
		"up, down: choose a line   s: sort by the next column   r: reverse",
		"/: only networks with that text, or whose last verdict it is   Escape: all",
		"b, u: block or unblock the network of the line; it asks first",
		"p: pause   q: quit   any key: close this help",
	} {
		all = append(all, text(s))
	}
	return all
}

// WriteOnce prints one frame of text for a script: no escape sequence, no colour.
func (s *Site) WriteOnce(out io.Writer) error {
	p, _ := s.look("")
	if !p.usable {
		return errors.New(p.Trouble)
	}
	return p.writeText(out, isASCII())
}

// writeText writes what a frame has, without the graph: it needs more than one look.
func (p *Picture) writeText(out io.Writer, ascii bool) error {
	const width, rows = 80, 10
	v := &view{ascii: ascii}
	all := append([]line{p.header(v)}, p.gauges(width, ascii)...)
	all = append(all, nil, line{{"verdict       last hour         all", strong}})
	for _, verdict := range decide.Verdicts() {
		if n := p.Totals.Verdicts[verdict]; n > 0 {
			all = append(all, text(fmt.Sprintf("%-10s %12d %11d", verdict,
				p.Totals.Recent.Verdicts[verdict], n)))
		}
	}
	for i := range p.tables {
		all = append(all, nil)
		all = append(all, p.tables[i].lines(rows+2, -1)...)
	}
	for _, l := range all {
		if _, err := fmt.Fprintln(out, l.cut(1000, ascii)); err != nil {
			return err
		}
	}
	return nil
}
