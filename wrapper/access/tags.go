package access

import (
	"net/netip"
	"slices"
	"strings"

	"sendwrap/wrapper/spelling"
)

// foreign are sendmail's tags that are none of ours, in lower case.
var foreign = []string{"authinfo", "bcc", "certissuer", "certsubject", "clt_features", "from",
	"qgrp", "rhs", "spam", "srv_features", "tls_clt", "tls_clt_features", "tls_rcpt", "tls_srv",
	"tls_srv_features", "to", "try_tls", "xconnect"}

// tagOf is the tag of ours that a word names, in any case.
func tagOf(word string) (tag Tag, ok bool) {
	for tag, name := range tagNames {
		if len(word) == len(name) && lower(word) == lower(name) {
			return Tag(tag), true
		}
	}
	return 0, false
}

// split takes a key's tag from it. ours is false if the key is for other rulesets of sendmail's.
func (r *reader) split(key string) (tag Tag, subject string, tagged, ours bool) {
	before, after, found := strings.Cut(key, ":")
	if !found || before == "" || before[0] == '[' || lower(before) == "ipv6" {
		return Connect, key, false, true
	}
	if tag, ok := tagOf(before); ok {
		return tag, after, true, true
	}
	before = lower(before)
	if slices.Contains(foreign, before) {
		return 0, "", false, false
	}
	if _, err := netip.ParseAddr(key); err == nil || strings.Contains(after, "/") {
		return Connect, key, false, true
	}
	if meant := spelling.Nearest(before, tagNames[:]); meant != "" {
		r.note("sendmail has no tag "+quoted(key[:len(key)-len(after)]), "did you mean "+meant+":?")
	}
	return 0, "", false, false
}
