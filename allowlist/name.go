package allowlist

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"sendwrap/allowlist/rule"
)

// Parse reads what a line can name: a network, as [ParseNetwork] does, or a name, as [ParseName]
// does. Nothing is both. The error is an *[Error].
func Parse(s string) (network netip.Prefix, name string, err error) {
	if network, ok := parseNetwork(s); ok {
		return network, "", nil
	}
	if name, ok := parseName(s); ok {
		return network, name, nil
	}
	if isMeantAsName(s) {
		return network, "", explainName(s)
	}
	return network, "", explain(s)
}

// ParseName reads the name of a host, such as mail.example.org, or a name that begins with a dot,
// such as .example.com: this is all hosts whose names are below example.com, but not example.com
// itself. It returns it in lower case and without a dot at its end.
//
// It refuses what is no name of a host in DNS, what can only be a mistyped address, and more than
// [rule.MaxLabels] labels. The error is an *[Error].
func ParseName(s string) (string, error) {
	name, ok := parseName(s)
	if !ok {
		return "", explainName(s)
	}
	return name, nil
}

func parseName(s string) (name string, ok bool) {
	host := strings.TrimPrefix(s, ".")
	all := len(host) < len(s) // below it
	name, ok = rule.NormalName(host)
	if !ok || rule.Labels(name) > rule.MaxLabels || !all && rule.Labels(name) == 1 ||
		isMistyped(name) {
		return "", false
	}
	switch {
	case !all:
		return name, true
	case name == host:
		return s, len(s) <= rule.MaxName
	}
	return "." + name, len(name) < rule.MaxName
}

// isMistyped reports whether a name can only be meant as an address: its last label is a number, as
// in 192.0.2.300, or all before it are and it looks like one, as in 192.0.2.l or 192.0.2.1O.
func isMistyped(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	before, last := name[:max(0, dot)], name[dot+1:]
	return isNumber(last) ||
		strings.Count(before, ".") == 2 && isNumber(strings.ReplaceAll(before, ".", "")) &&
			(len(last) == 1 || len(last) <= 3 && strings.ContainsAny(last, "0123456789"))
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isMeantAsName judges a text that is neither a network nor a name.
func isMeantAsName(s string) bool {
	if len(s) > maxShown || strings.ContainsAny(s, ",;#=") || strings.Count(s, ":") > 1 &&
		!strings.Contains(s, "://") || MeansAll(s) || respell(s) != "" {
		return false
	}
	host, _, _ := strings.Cut(s, "/")
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	return strings.ContainsFunc(s, func(r rune) bool {
		return r >= utf8.RuneSelf || r == '@' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	})
}

// explainName says what is wrong with a text that ParseName refuses.
func explainName(s string) *Error {
	const example = "mail.example.org, or .example.org for all names below it"
	if len(s) > maxShown {
		return newError("write a name such as "+example, "%q... is not a name", s[:maxShown])
	}
	if meant := respellName(s); meant != "" {
		return newError("write "+meant, "%q is not a plain name", s)
	}
	name := strings.TrimSuffix(strings.TrimPrefix(s, "."), ".")
	odd := strings.IndexFunc(name, func(r rune) bool { return !isNameByte(r) })
	switch longest := longestLabel(name); {
	case strings.Contains(s, "@"):
		return newError("write the name of the host that sends, such as "+example,
			"%q is a mail address", s)
	case strings.ContainsAny(s, "*?"):
		return newError("write .example.org for all names below example.org", "%q is a pattern", s)
	case odd >= 0 && name[odd] >= utf8.RuneSelf:
		return newError("write it as DNS has it, with xn--", "%q is not ASCII", s)
	case odd >= 0:
		return newError("write letters, digits, - and _ between dots", "%q in the name %q",
			name[odd], s)
	case name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") ||
		strings.Contains(name, ".."):
		return newError("write a name such as "+example, "empty label in %q", s)
	case longest > 63:
		return newError("write at most 63", "label of %d bytes in %q", longest, s)
	case rule.Labels(name) > rule.MaxLabels:
		return newError(fmt.Sprintf("write at most %d", rule.MaxLabels), "%d labels in %q",
			rule.Labels(name), s)
	case isMistyped(name):
		return newError("write an address such as 192.0.2.1, or a name such as mail.example.org",
			"%q is neither an address nor a name", s)
	}
	return newError("write a network such as 192.0.2.0/24, or a name such as mail.example.org",
		"%q is neither a network nor a whole name", s)
}

func isNameByte(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune(".-_", r)
}

func longestLabel(name string) (bytes int) {
	for label := range strings.SplitSeq(name, ".") {
		bytes = max(bytes, len(label))
	}
	return bytes
}

// GuessName returns the name that a text can mean which [Parse] refuses, or "".
func GuessName(s string) string {
	if len(s) > maxShown {
		return ""
	}
	return respellName(s)
}

// respellName reads forms that other programs use: *.example.com, a URL, a host with its port.
func respellName(s string) string {
	meant := s
	if _, host, isURL := strings.Cut(s, "://"); isURL {
		meant = host
	}
	meant, _, _ = strings.Cut(meant, "/")
	if host, port, found := strings.Cut(meant, ":"); found && isNumber(port) {
		meant = host
	}
	meant = strings.TrimSuffix(strings.TrimPrefix(meant, "["), "]")
	if below, found := strings.CutPrefix(meant, "*"); found {
		meant = "." + strings.TrimPrefix(below, ".")
	}
	if name, ok := parseName(meant); ok && meant != s {
		return name
	}
	return ""
}
