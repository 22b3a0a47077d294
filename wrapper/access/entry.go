package access

import (
	"net/netip"
	"strconv"
	"strings"
)

// line is one of the map's, split.
type line struct {
	tag     Tag
	tagged  bool
	subject string // the key without its tag, as it is written
	key     string
	value   string
}

// prefix is the tag as it is written.
func (l line) prefix() string { return l.key[:len(l.key)-len(l.subject)] }

// asked is the key as sendmail looks it up, which is %0 in the value.
func (l line) asked() string {
	s := strings.Replace(strings.ToLower(l.subject), "ipv6", "IPv6", 1)
	if !l.tagged {
		return s
	}
	return l.tag.String() + ":" + s
}

// rank says which of two keys of a place decides: that with the tag, and what sendmail sees before
// what it does not.
func (l line) rank(s subject) uint8 {
	var rank uint8
	if !l.tagged {
		rank++
	}
	if s.cidr {
		rank += 2
	}
	return rank
}

// enter adds a line to the map.
func (r *reader) enter(l line) {
	if l.subject == "" {
		r.enterBare(l)
		return
	}
	s, ok := parseSubject(strings.ToLower(l.subject))
	if !ok {
		r.never(l)
		return
	}
	if !l.tag.hasNames() && (s.name != "" || s.unresolved) {
		r.note(quoted(l.key)+" never matches: sendmail looks for addresses alone with this tag",
			"write the client's address")
		return
	}
	if s.cidr {
		r.noteCIDR(l, s.network)
	}
	at, rank := place{l.tag, s.unresolved, s.network, s.name}, l.rank(s)
	i, known := r.at[at]
	if known && r.ranks[i] == rank {
		r.note("duplicate key "+quoted(l.key)+": the first, in line "+
			strconv.Itoa(r.entries[i].Line)+", stays", "remove one of the two")
		return
	}
	v, ok := r.value(l)
	if !ok {
		return
	}
	e := Entry{l.tag, s.network, s.unresolved, s.name, v, r.line, l.key}
	switch {
	case !known:
		r.at[at] = len(r.entries)
		r.entries = append(r.entries, e)
		r.ranks = append(r.ranks, rank)
	case rank < r.ranks[i]:
		r.entries[i], r.ranks[i] = e, rank
	}
}

// value reads the value of a line. ok is false if sendmail takes it for none.
func (r *reader) value(l line) (v Value, ok bool) {
	v, remark := parseValue(l.tag, l.asked(), l.value)
	switch {
	case v.Kind == Nothing:
		r.mistake(remark.Msg, remark.Hint)
		return v, false
	case remark.Msg != "":
		r.note(remark.Msg, remark.Hint)
	}
	return v, true
}

// enterBare adds a line whose key is a tag alone.
func (r *reader) enterBare(l line) {
	first, _, more := strings.Cut(l.value, " ")
	_, isSubject := parseSubject(strings.ToLower(first))
	switch {
	case more && isSubject && !isDigits(first):
		r.note("a blank after "+quoted(l.key)+": sendmail takes the tag alone for the key",
			"write "+l.key+first+" without it")
	case l.tag.hasNames():
		r.note(quoted(l.key)+" never matches: sendmail looks for no default with this tag",
			"write the default in sendwrap.conf")
	case r.bare[l.tag] != nil:
		r.note("duplicate key "+quoted(l.key)+": the first, in line "+
			strconv.Itoa(r.bare[l.tag].Line)+", stays", "remove one of the two")
	case strings.EqualFold(l.value, "SKIP"):
		r.note("sendmail refuses everybody by "+quoted(l.value)+"; here it is no limit", "write 0")
	default:
		if v, ok := r.value(l); ok {
			r.bare[l.tag] = &Entry{Tag: l.tag, Value: v, Line: r.line, Key: l.key}
		}
	}
}

// spreadBare puts what a bare tag says where nothing else does.
func (r *reader) spreadBare() {
	for i, e := range r.entries {
		if bare := r.bare[e.Tag]; bare != nil && e.Value.Kind == Skip {
			e.Value, e.Line, e.Key = bare.Value, bare.Line, bare.Key
			r.entries[i] = e
		}
	}
	for _, bare := range r.bare {
		if bare == nil {
			continue
		}
		for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
			e := *bare
			e.Network = netip.PrefixFrom(any, 0)
			at := place{tag: e.Tag, network: e.Network}
			if _, ok := r.at[at]; !ok {
				r.at[at] = len(r.entries)
				r.entries = append(r.entries, e)
			}
		}
	}
}
