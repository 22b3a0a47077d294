package policy

import "strings"

// Bytes that fit a reply, which is one line of at most 512 bytes (RFC 5321 §4.5.3.1.5).
const (
	MaxHostname = 128
	MaxContact  = 200
)

// IsHostname reports whether a word can be a host name (RFC 1123): letters, digits and hyphens
// between dots, and not an address.
func IsHostname(word string) bool {
	for label := range strings.SplitSeq(word, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, isOutsideLabel) {
			return false
		}
	}
	last := word[strings.LastIndexByte(word, '.')+1:]
	return strings.Trim(last, "0123456789") != ""
}

func isOutsideLabel(r rune) bool {
	return !(r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}
