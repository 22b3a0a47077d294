package access

import (
	"net/netip"
	"slices"
	"strings"
)

// foreign are sendmail's tags that are none of ours, in lower case.
var foreign = []string{"authinfo", "bcc", "certissuer", "certsubject", "clt_features", "from",
	"qgrp", "rhs", "spam", "srv_features", "tls_clt", "tls_clt_features", "tls_rcpt", "tls_srv",
	"tls_srv_features", "to", "try_tls", "xconnect"}

// split takes a key's tag from it. ours is false if the key is for other rulesets of sendmail's.
func (r *reader) split(key string) (tag Tag, subject string, tagged, ours bool) {
	before, after, found := strings.Cut(key, ":")
	if !found || before == "" || before[0] == '[' || strings.EqualFold(before, "IPv6") {
		return Connect, key, false, true
	}
	for tag := range Tags {
		if strings.EqualFold(before, tag.String()) {
			return tag, after, true, true
		}
	}
	before = strings.ToLower(before)
	if slices.Contains(foreign, before) {
		return 0, "", false, false
	}
	if _, err := netip.ParseAddr(key); err == nil || strings.Contains(after, "/") {
		return Connect, key, false, true
	}
	if meant := nearest(before); meant != "" {
		r.note("sendmail has no tag "+quoted(key[:len(before)+1]), "did you mean "+meant+":?")
	}
	return 0, "", false, false
}

// nearest is the tag of ours of which a word in lower case is a misspelling, or "".
func nearest(word string) string {
	const most = 2
	best, meant := most+1, ""
	for tag := range Tags {
		if d := distance(word, strings.ToLower(tag.String())); d < best {
			best, meant = d, tag.String()
		}
	}
	return meant
}

// distance counts the letters to insert, delete or change to turn a into b (Levenshtein).
func distance(a, b string) int {
	const most = 15
	if len(a) > most || len(b) > most {
		return most
	}
	var row [most + 1]int // distances of a[:i] to each b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
