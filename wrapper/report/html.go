package report

import (
	"bufio"
	_ "embed" // the style
	"fmt"
	"io"
	"strings"
	"time"

	"sendwrap/allowlist/rule"
)

//go:embed report.css
var style string

// page writes HTML.
type page struct {
	*bufio.Writer
	r *Report
}

// escape makes text of the characters that mean something in HTML.
var escape = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// put writes a piece of the page. Every argument is text, whatever it is made of: it is escaped, in
// attributes too, which are in double quotes.
func (p page) put(format string, args ...any) {
	for i, arg := range args {
		args[i] = escape.Replace(fmt.Sprint(arg))
	}
	fmt.Fprintf(p, format, args...)
}

// HTML writes the report as one file that needs no other.
func (r *Report) HTML(w io.Writer) error {
	p := page{bufio.NewWriter(w), r}
	p.head()
	p.bars()
	p.curve()
	p.mistakes()
	p.blocks()
	p.WriteString("<div class=\"tables\">\n")
	for _, t := range r.tables() {
		p.counts(t)
	}
	p.WriteString("</div>\n")
	p.waits()
	p.unread()
	p.WriteString("</body>\n</html>\n")
	return p.Flush()
}

func (p page) head() {
	r := p.r
	p.WriteString(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'">
`)
	p.put("<title>sendwrap, %s to %s</title>\n<style>\n", short(r.From), short(r.Until))
	p.WriteString(style + "</style>\n</head>\n<body>\n<h1>sendwrap</h1>\n")
	if r.Lines == 0 {
		p.WriteString("<p>No line of it in this time, or in these logs.</p>\n")
		return
	}
	p.put("<p class=\"dim\">%s to %s, %s connections</p>\n<dl>\n", short(r.From),
		r.Until.Format("2 Jan 2006 15:04"), group(r.Connections))
	for _, row := range r.Summary() {
		p.put("<dt>%s</dt><dd>%s</dd>\n", row.Label, row.Text)
	}
	p.WriteString("</dl>\n")
}

// section begins a part of the page.
func (p page) section(title string) { p.put("<section>\n<h2>%s</h2>\n", title) }

// table begins a table with these columns; those that begin with # are of numbers.
func (p page) table(columns ...string) {
	p.WriteString("<div class=\"scroll\"><table>\n<tr>")
	for _, column := range columns {
		if name, ok := strings.CutPrefix(column, "#"); ok {
			p.put(`<th class="n">%s</th>`, name)
		} else {
			p.put("<th>%s</th>", column)
		}
	}
	p.WriteString("</tr>\n")
}

func (p page) endTable() { p.WriteString("</table></div>\n</section>\n") }

const (
	cellOf   = "<td>%s</td>"
	numberOf = `<td class="n">%s</td>`
)

func (p page) mistakes() {
	if len(p.r.Mistakes) == 0 {
		return
	}
	p.section("Refused and served: mistakes?")
	p.table("client", "#refused", "last", "at", "#served before", "#since", "#known")
	for _, m := range p.r.Mistakes {
		p.put("<tr>"+cellOf+numberOf+cellOf+cellOf+numberOf+numberOf+numberOf+"</tr>\n",
			clientName(m.Network), group(m.Refused), m.Verdict+" "+m.Kind, short(m.At),
			group(m.Before), group(m.After), group(m.Known))
	}
	p.endTable()
}

func (p page) blocks() {
	if len(p.r.Blocks.Last) == 0 {
		return
	}
	p.section("New blocks")
	p.table("at", "network", "#for", "reason")
	for _, b := range p.r.Blocks.Last {
		p.put("<tr>"+cellOf+cellOf+numberOf+cellOf+"</tr>\n", short(b.At), b.Network,
			rule.FormatDuration(time.Duration(b.Seconds)*time.Second), b.why())
	}
	p.endTable()
}

func (p page) counts(t table) {
	if len(t.Rows) == 0 {
		return
	}
	p.section(strings.ToUpper(t.Title[:1]) + t.Title[1:])
	p.WriteString("<table>\n")
	if last := t.lastTitle(); last != "" {
		p.put("<tr><th></th><th></th><th>%s</th></tr>\n", last)
	}
	for _, c := range t.Rows {
		p.put("<tr>"+numberOf+cellOf+"<td class=\"dim\">%s</td></tr>\n", group(c.Count), c.Key,
			c.note())
	}
	p.WriteString("</table>\n</section>\n")
}

func (p page) waits() {
	if len(p.r.Waits) == 0 {
		return
	}
	p.section("Longest waits of served clients")
	p.table("at", "client", "#waited", "verdict")
	for _, w := range p.r.Waits {
		p.put("<tr>"+cellOf+cellOf+numberOf+cellOf+"</tr>\n", short(w.At), w.Client,
			seconds(w.Seconds), w.Verdict)
	}
	p.endTable()
}

func (p page) unread() {
	for _, line := range p.r.sources() {
		p.put("<p class=\"dim\">%s</p>\n", line)
	}
}
