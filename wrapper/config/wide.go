package config

import (
	"fmt"
	"slices"
	"strconv"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// wideLine is a right wide line.
type wideLine struct {
	wide policy.Wide
	at   rule.Source
}

var wideKeys = []string{"client_rate", "client_conns", "bad_rcpts_total", "strikes"}

// wide reads a line. A wrong one sets no limit, which is lenient.
func (l *loader) wide(w words, at rule.Source) {
	l.args = l.args[:0]
	for w.next() {
		l.args = append(l.args, w.word)
	}
	wide, err := readWide(l.args)
	if w.err != nil {
		err = w.err
	}
	if err == nil && len(l.wides) == policy.MaxWide {
		err = newError("remove one", "already set at %s and %s", l.wides[0].at, l.wides[1].at)
	}
	if err != nil {
		l.reject(at, prefixError("wide", err), -1, nil)
		return
	}
	l.wides = append(l.wides, wideLine{wide, at})
}

func readWide(args []string) (w policy.Wide, err error) {
	if len(args) < 3 {
		return w, newError("write both prefix lengths and limits, such as "+
			"wide 24 48 client_conns=200", "no limit")
	}
	if err := setBits(&w.V4, args[0], minV4, maxV4-1); err != nil {
		return w, prefixError("V4BITS", err)
	}
	if err := setBits(&w.V6, args[1], minV6, maxV6-1); err != nil {
		return w, prefixError("V6BITS", err)
	}
	pairs := args[2:]
	if last := len(pairs) - 1; pairs[last] == observe {
		w.Observed, pairs = true, pairs[:last]
	}
	_, err = readPairs(pairs, wideKeys, func(key, value string) error {
		switch key {
		case "client_rate":
			return setRate(&w.ClientRate, value, rule.MaxClientRate)
		case "client_conns":
			return setCount(&w.ClientConns, value, 0, rule.MaxClientConns)
		case "bad_rcpts_total":
			return setRate(&w.BadRcptsTotal, value, maxBadRcptsTotal)
		}
		return setCount(&w.Strikes, value, 0, maxStrikes)
	})
	if err == nil && w == (policy.Wide{Widths: w.Widths, Observed: w.Observed}) {
		err = newError("remove the line", "all limits are 0, which is none")
	}
	return w, err
}

// setWides sets the right lines, the narrower one first. Only now count_by is known, too.
func (l *loader) setWides() {
	slices.SortStableFunc(l.wides, func(a, b wideLine) int { return b.wide.V4 - a.wide.V4 })
	than, name := l.config.CountBy, "count_by "+l.config.CountBy.String()
	for _, line := range l.wides {
		w := line.wide.Widths
		if w.V4 >= than.V4 || w.V6 >= than.V6 {
			hint := fmt.Sprintf("write a number below %d and one below %d", than.V4, than.V6)
			err := newError(hint, "%s is not wider than %s in both families", w, name)
			l.reject(line.at, prefixError("wide", err), -1, nil)
			continue
		}
		l.config.Wide = append(l.config.Wide, line.wide)
		than, name = w, fmt.Sprintf("%s at %s", w, line.at)
	}
}

func printWide(c *Config) (lines []string) {
	for _, w := range c.Wide {
		line := w.Widths.String()
		if w.ClientRate.N > 0 {
			line += " client_rate=" + w.ClientRate.String()
		}
		if w.ClientConns > 0 {
			line += " client_conns=" + strconv.Itoa(w.ClientConns)
		}
		if w.BadRcptsTotal.N > 0 {
			line += " bad_rcpts_total=" + w.BadRcptsTotal.String()
		}
		if w.Strikes > 0 {
			line += " strikes=" + strconv.Itoa(w.Strikes)
		}
		if w.Observed {
			line += " " + observe
		}
		lines = append(lines, line)
	}
	return lines
}
