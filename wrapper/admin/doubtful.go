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
)

// What is right, as far as a parser can tell, and seldom meant.

// submitFile is what makes sendmail -bs a program for the mail of the machine's own users.
const submitFile = "/etc/mail/submit.cf"

// shellNote says which argument is meant for a shell.
func shellNote(mta []string) string {
	for _, arg := range mta[1:] {
		if slices.Contains([]string{"|", "||", "<", ">", ">>", "2>", "2>&1", "&", "&&", ";"}, arg) {
			return fmt.Sprintf("%q would be an argument; there is no shell: write a script and name it", arg)
		}
	}
	return ""
}

// submitNote is what to write for a sendmail that would read submit.cf, "" for others.
func submitNote(mta []string) string {
	if real, err := filepath.EvalSymlinks(mta[0]); err != nil || isExim(real) || !knowsSubmit(real) {
		return ""
	}
	named := slices.ContainsFunc(mta[1:], func(arg string) bool {
		return strings.HasPrefix(arg, "-A") || strings.HasPrefix(arg, "-C")
	})
	if _, err := os.Stat(submitFile); err != nil || named || !slices.Contains(mta[1:], "-bs") {
		return ""
	}
	return fmt.Sprintf("without -Am this sendmail reads %s, which is no mail server's; "+
		"write mta %s -Am %s", submitFile, mta[0], strings.Join(mta[1:], " "))
}

// knowsSubmit says whether a program has the name of that file in it, as sendmail has, and others
// that go by its name have not.
func knowsSubmit(program string) bool {
	f, err := os.Open(program)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 16<<20))
	return err == nil && bytes.Contains(text, []byte("submit.cf"))
}

// networkNotes says which networks are said twice, and whether everybody is turned away.
func networkNotes(l *allowlist.List) (notes []string) {
	for _, all := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		everyone := netip.PrefixFrom(all, 0)
		if m := l.MatchNetwork(everyone); m.Access == allowlist.Deny {
			notes = append(notes, fmt.Sprintf("%s: deny %s turns away every client that no allow "+
				"line holds; if that is not meant, remove it", m.Source, everyone))
		}
	}
	for _, r := range l.Repeats() {
		notes = append(notes, fmt.Sprintf("%s: %s of %s stands at %s already; keep one",
			r.Second, r.Access, r.Network, r.First))
	}
	return notes
}
