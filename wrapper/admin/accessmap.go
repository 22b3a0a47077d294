package admin

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"sendwrap/wrapper/access"
	"sendwrap/wrapper/config"
)

// mapNotes are remarks on the access map: they are no mistakes, and sendmail would make none.
func mapNotes(c *config.Config) (notes []string) {
	if c.Map == nil {
		return nil
	}
	all := c.Map.Notes
	if n, ok := access.CheckDatabase(c.AccessMap); ok {
		all = append([]access.Note{n}, all...)
	}
	for _, n := range all {
		at := c.AccessMap
		if n.Line > 0 {
			at += ":" + strconv.Itoa(n.Line)
		}
		notes = append(notes, at+": "+n.Msg+"; "+n.Hint)
	}
	return notes
}

// entriesText says how many keys of an access map count; "" without one.
func entriesText(file string, keys int) string {
	if file == "" {
		return ""
	}
	return ", " + plural(keys, "key") + " of " + file
}

// keys is how many keys of the access map count.
func keys(c *config.Config) int {
	if c.Map == nil {
		return 0
	}
	return len(c.Map.Entries())
}

// printMap prints what the access map says of a client, with the keys. All that sendwrap.conf says
// comes before it, key by key.
func (c *call) printMap(d *configured, h *hearing) {
	m := d.Config.Map
	if m == nil {
		return
	}
	names, known := d.HeardNames(h.Hearsay)
	found := m.LookAddress(h.client)
	if known {
		found = m.Look(h.client, names...)
	}
	fmt.Fprintf(c.stdout, "%s, %s\n", d.Config.AccessMap, askedText(names, known))
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	for tag := range access.Tags {
		if e := &found[tag]; e.Value.Kind == access.Nothing {
			fmt.Fprintf(w, "  %v\tnone\t\t\n", tag) // all cells, or its columns end here
		} else {
			fmt.Fprintf(w, "  %v\t%s\t%s\tline %d\n", tag, valueText(e), e.Key, e.Line)
		}
	}
	w.Flush()
	for row := range strings.Lines(table.String()) {
		fmt.Fprintln(c.stdout, strings.TrimRight(row, " \n"))
	}
}

// askedText says by which name the map was asked.
func askedText(names []string, known bool) string {
	switch {
	case !known:
		return "by its address"
	case len(names) == 0:
		return "without a name"
	}
	return "as " + strings.Join(names, ", ")
}

// valueText is what an entry says, in words.
func valueText(e *access.Entry) string {
	switch e.Value.Kind {
	case access.OK:
		return [...]string{
			access.Accepts:     "OK",
			access.Relays:      "RELAY: let in; sendmail relays for it",
			access.Discards:    "DISCARD: let in; sendmail may discard its mail",
			access.Quarantines: "QUARANTINE: let in; sendmail may set its mail aside",
		}[e.Value.Also]
	case access.Reject:
		return "REJECT"
	case access.Text:
		return strconv.Quote(e.Value.Reply)
	}
	text := strconv.Itoa(e.Value.N)
	switch {
	case e.Tag == access.GreetPause:
		text += " ms"
	case e.Value.N == 0:
		text += ", no limit"
	case e.Tag == access.ClientRate:
		text += " in 1m"
	}
	return text
}
