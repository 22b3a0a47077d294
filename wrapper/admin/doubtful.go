package admin

import (
	"fmt"
	"net/netip"
	"slices"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
)

// This file looks for lines that are valid and seldom meant.

// shellNote names an argument that is meant for a shell.
func shellNote(mta []string) string {
	for _, arg := range mta[1:] {
		if slices.Contains([]string{"|", "||", "<", ">", ">>", "2>", "2>&1", "&", "&&", ";"}, arg) {
			return fmt.Sprintf("%q would be an argument, since no shell reads this line; "+
				"name a script instead", arg)
		}
	}
	return ""
}

// nameNote says that lines with names hold for nobody, where nobody waits.
func nameNote(c *config.Config) string {
	if !c.Networks.HasNames() || c.GreetDelay > 0 {
		return ""
	}
	return "without a delay no client's name is known, and the lines with names hold for nobody " +
		"but clients with a delay of their own"
}

// networkNotes names networks and names that are listed twice, and lines that refuse all clients.
func networkNotes(l *allowlist.List) (notes []string) {
	for _, all := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		everyone := netip.PrefixFrom(all, 0)
		if m := l.MatchNetwork(everyone); m.Access == rule.Deny {
			notes = append(notes, fmt.Sprintf("%s: deny %s refuses every client outside the allow "+
				"lines; remove it if that is not intended", m.Source, everyone))
		}
	}
	for _, r := range l.Repeats() {
		notes = append(notes, fmt.Sprintf("%s: %s %s is also at %s; keep one",
			r.Second, r.Access, r.What, r.First))
	}
	return notes
}
