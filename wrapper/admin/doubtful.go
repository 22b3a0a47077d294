package admin

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
)

// This file looks for lines that are valid and seldom meant.

// submitFile makes sendmail -bs a program for the mail of the machine's own users.
const submitFile = "/etc/mail/submit.cf"

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

// submitNote says what to write for a sendmail that would read submit.cf; "" for others.
func submitNote(mta []string) string {
	real, err := filepath.EvalSymlinks(mta[0])
	if err != nil || isExim(real) || !knowsSubmit(real) {
		return ""
	}
	named := slices.ContainsFunc(mta[1:], func(arg string) bool {
		return strings.HasPrefix(arg, "-A") || strings.HasPrefix(arg, "-C")
	})
	if _, err := os.Stat(submitFile); err != nil || named || !slices.Contains(mta[1:], "-bs") {
		return ""
	}
	return fmt.Sprintf("without -Am this sendmail reads %s, which is not for a mail server; "+
		"write mta %s -Am %s", submitFile, mta[0], strings.Join(mta[1:], " "))
}

// knowsSubmit reports whether a program contains the name of that file, as sendmail does and other
// programs of that name do not.
func knowsSubmit(program string) bool {
	f, err := os.Open(program)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<20))
	return err == nil && bytes.Contains(text, []byte("submit.cf"))
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
