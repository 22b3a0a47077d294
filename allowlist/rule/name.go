package rule

import "strings"

const (
	// MaxName is how long a name can be, in bytes, as text (RFC 1035 §2.3.4 has 255, as DNS
	// transports it).
	MaxName = 253

	// MaxLabels is how many labels a rule's name can have. It bounds what a lookup costs: a client
	// chooses its own name.
	MaxLabels = 32

	maxLabel = 63 // bytes (RFC 1035 §2.3.4)
)

// NormalName returns a client's name in the form that rules have: in lower case, and without a dot
// at its end. ok is false if it is no name of a host: labels of letters, digits, hyphens and, since
// they occur, underscores.
func NormalName(s string) (name string, ok bool) {
	name = strings.TrimSuffix(s, ".")
	if name == "" || len(name) > MaxName {
		return "", false
	}
	label := 0 // bytes of it so far
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.' && label == 0:
			return "", false
		case c == '.':
			label = 0
			continue
		case label == maxLabel || !isLabelByte(c):
			return "", false
		}
		label++
	}
	if label == 0 {
		return "", false
	}
	return strings.ToLower(name), true
}

func isLabelByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' ||
		c == '_'
}

// WiderName returns the rule's name that holds the next more names: ".example.org" for
// "mail.example.org", then ".org", then "". What begins with a dot holds all names below, but not
// the one without the dot.
func WiderName(name string) string {
	if i := strings.IndexByte(name[1:], '.'); i >= 0 {
		return name[1+i:]
	}
	return ""
}

// Labels counts the labels of a name that is not empty.
func Labels(name string) int { return strings.Count(name[1:], ".") + 1 }
