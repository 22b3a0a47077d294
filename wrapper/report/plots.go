package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/loglines"
)

// The plots are in units of their own; the page scales them.
const (
	plotWidth  = 720
	plotHeight = 200
)

// maxPlotted is how many verdicts are plotted. The style has a colour for each that there is.
const maxPlotted = 10

// plot begins a plot with its two lines.
func (p page) plot(name string) {
	p.put(`<svg viewBox="-2 -26 730 254" role="img" aria-label="%s">`+"\n", name)
	for _, y := range []int{0, plotHeight} {
		p.put(`<line class="axis" x1="0" y1="%v" x2="%v" y2="%[1]v"/>`+"\n", y, plotWidth)
	}
}

func (p page) label(x, y float64, text string) {
	p.put(`<text x="%s" y="%s">%s</text>`+"\n", unit(x), unit(y), text)
}

// labelEnd is label with the place where the text ends.
func (p page) labelEnd(x, y float64, text string) {
	p.put(`<text class="end" x="%s" y="%s">%s</text>`+"\n", unit(x), unit(y), text)
}

// unit is a place in a plot.
func unit(x float64) string { return fmt.Sprintf("%.1f", x) }

const belowPlot = plotHeight + 22

// bars draws the verdicts by hour or day, one upon the other.
func (p page) bars() {
	hours := p.r.Hours
	if len(hours) < 2 {
		return
	}
	columns := byFate(p.r.columns(maxPlotted))
	sum := func(h Hour) (n int) {
		for _, v := range columns {
			n += h.Counts[v]
		}
		return n
	}
	highest := 1
	for _, h := range hours {
		highest = max(highest, sum(h))
	}
	title, format := "Verdicts by hour", "15:04"
	step := time.Duration(p.r.HourLength) * time.Hour
	if p.r.HourLength == 24 {
		title, format = "Verdicts by day", "2 Jan"
	}
	p.section(title)
	p.plot(title)
	p.label(0, -4, group(highest))
	slots := int((hours[len(hours)-1].Start.Sub(hours[0].Start)+step/2)/step) + 1
	every, labelled := (slots+7)/8, -1
	for _, h := range hours {
		slot := int((h.Start.Sub(hours[0].Start) + step/2) / step)
		width := plotWidth / float64(slots)
		x, y := float64(slot)*width, float64(plotHeight)
		if slot/every != labelled {
			labelled = slot / every
			p.label(x, belowPlot, h.Start.Format(format))
		}
		for _, v := range columns {
			n := h.Counts[v]
			height := float64(n) * plotHeight / float64(highest)
			if y -= height; n > 0 {
				p.put(`<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s</title>`+
					"</rect>\n", v, unit(x), unit(y), unit(width*0.9), unit(height),
					short(h.Start)+" "+v+": "+group(n))
			}
		}
	}
	p.WriteString("</svg>\n")
	p.key(columns)
	p.WriteString("</section>\n")
}

// key says which colour a verdict has.
func (p page) key(words []string) {
	p.WriteString("<ul class=\"key\">\n")
	for _, v := range words {
		p.put(`<li><svg viewBox="0 0 1 1"><rect class="%s" width="1" height="1"/></svg>%[1]s</li>`+
			"\n", v)
	}
	p.WriteString("</ul>\n")
}

// byFate sorts verdicts: those that are served first, then those that left, then those refused.
func byFate(words []string) []string {
	fate := func(word string) int {
		switch v, _ := loglines.VerdictOf(word); {
		case v.Served():
			return 0
		case v == decide.Hangup:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(words, func(a, b string) int { return cmp.Compare(fate(a), fate(b)) })
	return words
}

// curve draws the delay curve.
func (p page) curve() {
	d := &p.r.Delay
	if d.Spoke+d.Left == 0 {
		return
	}
	p.section("The greet delay")
	p.put("<p class=\"dim\">Of %s clients that had to wait for %s, %s spoke and %s left: "+
		"how many of these, by when.</p>\n", group(d.Waited), seconds(d.Longest), group(d.Spoke),
		group(d.Left))
	p.plot("The delay curve")
	p.labelEnd(plotWidth, -4, "100 %")
	x := func(seconds float64) float64 { return seconds * plotWidth / d.Longest }
	if d.Suggest > 0 {
		at := unit(x(d.Suggest))
		p.put(`<line class="mark" x1="%s" y1="0" x2="%s" y2="%v"/>`+"\n", at, at, plotHeight)
	}
	points := []string{fmt.Sprintf("0,%d", plotHeight)}
	for _, s := range d.Curve {
		points = append(points, unit(x(s.Seconds))+","+unit(plotHeight*(1-s.Percent/100)))
	}
	p.put(`<polyline class="curve" points="%s"/>`+"\n", strings.Join(points, " "))
	step := max(0.1, d.Longest/6)
	if d.Longest > 3 {
		step = math.Ceil(step)
	}
	for at := 0.0; at <= d.Longest; at += step {
		if x(at) > plotWidth*0.97 {
			p.labelEnd(plotWidth, belowPlot, seconds(at))
		} else {
			p.label(x(at), belowPlot, seconds(at))
		}
	}
	p.put("</svg>\n<p>%s. %s</p>\n</section>\n", d.Why, onlyLonger)
}
