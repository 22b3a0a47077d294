// Package rule has the words in which an administrator speaks of a network: allow it, deny it, or
// give its clients limits of their own. It is apart from package allowlist so that the program that
// starts for each connection knows the words without the trie.
package rule

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Access is what the administrator has decided about a network as a whole.
type Access uint8

const (
	Unset Access = iota // no decision: tests and limits apply
	Allow               // clients get the MTA at once
	Deny                // clients are refused at once
)

func (a Access) String() string {
	switch a {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	}
	return "unset"
}

// MaxReply is how many bytes a line of a reply has at most, without its end (RFC 5321 §4.5.3.1.5).
const MaxReply = 510

// Rate is a limit of N arrivals in any window of length Per. The zero Rate is no limit.
type Rate struct {
	N   int
	Per time.Duration
}

// String is the spelling of sendwrap.conf: "10/1m", and "0" for no limit.
func (r Rate) String() string {
	if r.N == 0 {
		return "0"
	}
	return strconv.Itoa(r.N) + "/" + FormatDuration(r.Per)
}

// FormatDuration is the shortest spelling of a time in sendwrap.conf: "6s", "1h30m", "31d".
//
// Log lines have their own format (maillog.Line.Dur), which is promised, and the measurements of
// sendwrap try show hundredths of a second.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// Match is what applies to one client. The zero Match is that nothing does.
type Match struct {
	Access  Access       // of the longest allowed or denied network that contains the client
	Network netip.Prefix // that network; invalid if a name decides
	Name    string       // of the rule, if a name decides: "mail.example.org" or ".example.com"
	Source  Source       // the line that allows or denies it
	Key     string       // of an access map, as it is written; "" if the text was not read
	Reply   string       // for the client, if an access map denies it with one of its own
	Limits  Limits       // of all networks that contain the client, the longest first, key by key
}

// Or is m, and where it says nothing, what applies by the client's name: a network beats a name.
func (m Match) Or(byName Match) Match {
	limits := byName.Limits.OverriddenBy(m.Limits)
	if m.Access == Unset {
		m = byName
	}
	m.Limits = limits
	return m
}

// Subject is the network or the name that is allowed or denied.
func (m Match) Subject() string {
	if m.Name != "" {
		return m.Name
	}
	return m.Network.String()
}

// Source is the place of a line in a configuration file.
type Source struct {
	File string
	Line int // from 1
}

// String is FILE:LINE.
func (s Source) String() string { return s.File + ":" + strconv.Itoa(s.Line) }
