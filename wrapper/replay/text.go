package replay

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"sendwrap/allowlist/rule"
)

// maxListed is how many clients the text shows; the JSON has more.
const maxListed = 20

// text writes a result as text.
type text struct {
	*bufio.Writer
	r *Result
}

// Text writes what changes, in sentences and numbers, then what a log cannot tell, then the
// clients.
func (r *Result) Text(w io.Writer) error {
	t := text{bufio.NewWriter(w), r}
	t.findings()
	t.verdicts()
	t.untold()
	t.clients()
	return t.Flush()
}

func (t text) line(format string, args ...any) {
	t.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// findings are what to read first.
func (t text) findings() {
	r := t.r
	if r.Connections == 0 {
		t.line("no line of sendwrap about a connection is in these logs")
		return
	}
	t.line("%s by %s, %s to %s: %d have the verdict that they had", plural(r.Connections,
		"connection"), r.File, r.From.In(r.Zone).Format("2 Jan 15:04"),
		r.Until.In(r.Zone).Format("2 Jan 2006 15:04"), r.Same)
	for i, finding := range r.Findings {
		if i == 0 {
			t.line("")
		}
		t.line("%s", finding)
	}
}

// verdicts are two tables.
func (t text) verdicts() {
	if len(t.r.Verdicts) == 0 {
		return
	}
	t.line("\n%-10s%8s%8s", "verdict", "then", "now")
	for _, v := range t.r.Verdicts {
		t.line("%-10s%8d%8d", v.Verdict, v.Then, v.Now)
	}
	for i, c := range t.r.Changes {
		if i == 0 {
			t.line("\n%-10s%-10s%12s", "then", "now", "connections")
		}
		t.line("%-10s%-10s%12d", c.Then, c.Now, c.Count)
	}
}

// untold says what the log cannot tell, and what is assumed instead.
func (t text) untold() {
	list := t.r.unknown()
	if len(list) > 0 {
		t.line("\nwhat the log cannot tell")
	}
	for _, line := range list {
		t.line("- %s", line)
	}
}

// unknown are the sentences of untold.
func (r *Result) unknown() (list []string) {
	u := &r.Untold
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			list = append(list, "1 "+one)
		case n > 1:
			list = append(list, fmt.Sprint(n, " ", many))
		}
	}
	add(u.Waits, "refused client would have had to wait (WAITS): nobody saw what it does then",
		"refused clients would have had to wait (WAITS): nobody saw what they do then")
	add(u.Longer, "client would have waited for longer than it did, and is taken for quiet",
		"clients would have waited for longer than they did, and are taken for quiet")
	add(u.Ends, "session whose end no line tells is taken to last "+rule.FormatDuration(r.session),
		"sessions whose end no line tells are taken to last "+rule.FormatDuration(r.session))
	add(u.Before, "client was known or blocked by what was before the log, and is now",
		"times a client was known or blocked by what was before the log, and is now")
	add(u.Guard, "verdict of the guard is not replayed; a block that it began holds",
		"verdicts of the guard are not replayed; blocks that they began hold")
	add(u.Failed, "client was refused for a fault of ours, and is left out",
		"clients were refused for a fault of ours, and are left out")
	add(u.Back, "time of the log goes back: the clock stays where it was",
		"times of the log go back: the clock stays where it was")
	if u.Seconds && r.Connections > 0 {
		list = append(list, "times are whole seconds: what came first within one is not known")
	}
	if len(u.Silent) > 0 {
		list = append(list, "no line names "+strings.Join(u.Silent, ", ")+
			": which clients such a list names is not known: DNS is not asked")
	}
	if len(u.Missing) > 0 {
		list = append(list, "lines name "+strings.Join(u.Missing, ", ")+
			", which the configuration does not have")
	}
	add(u.Newer, "line has words or keys of a newer version, which are passed over",
		"lines have words or keys of a newer version, which are passed over")
	return append(list, r.unread()...)
}

// unread says what could not be read.
func (r *Result) unread() (list []string) {
	u := &r.Unreadable
	if n := u.Lines + u.TooLong + u.Garbled; n > 0 {
		list = append(list, plural(n, "line")+" could not be read")
	}
	for _, f := range u.Files {
		list = append(list, f.File+": "+f.Why)
	}
	return list
}

// clients shows those whose verdict changes, with the lines about them.
func (t text) clients() {
	all := t.r.Clients
	if len(all) == 0 {
		return
	}
	t.line("\nclients whose verdict changes: those that may be a mistake come first")
	for _, c := range all[:min(len(all), maxListed)] {
		t.line("\n%s: %s", c.Client, c.what())
		for _, line := range c.Lines {
			t.line("  %s", line)
		}
		if c.More > 0 {
			t.line("  and %d more", c.More)
		}
	}
	if more := max(0, len(all)-maxListed) + t.r.More; more > 0 {
		t.line("\nand %d more; -json has the first %d", more, maxClients)
	}
	if n := t.r.Untold.Forgotten; n > 0 {
		t.line("%s are of clients that were too many to remember", plural(n, "more change"))
	}
}

// what says how a client's verdicts change, and why that may be a mistake.
func (c *Client) what() (text string) {
	var parts []string
	for _, one := range c.Changes {
		parts = append(parts, fmt.Sprintf("%s then, %s now (%d)", one.Then, one.Now, one.Count))
	}
	switch {
	case c.Trusted:
		parts = append(parts, "trusted")
	case c.Known:
		parts = append(parts, "known")
	}
	switch {
	case c.Later == 1:
		parts = append(parts, "served once later")
	case c.Later > 1:
		parts = append(parts, fmt.Sprintf("served %d times later", c.Later))
	}
	return strings.Join(parts, "; ")
}
