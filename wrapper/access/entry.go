package access

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxValues is how many values a reader remembers for each tag: most lines have that of another.
const maxValues = 1000

// valueRead is a value that was read.
type valueRead struct {
	v      Value
	remark Note
}

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
	s := spelled(lower(l.subject))
	if !l.tagged {
		return s
	}
	return l.tag.String() + ":" + s
}

// letsIn reports whether without the line clients may be refused: for speaking early, too.
func (l line) letsIn() bool {
	v, _ := parseValue(l)
	return l.tag == GreetPause || l.tag == Connect && (v.Kind == OK || v.Kind == Skip)
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
	if _, isTag := tagOf(l.key); isTag && r.noteMisspelt(l) {
		return
	}
	s, ok := parseSubject(lower(l.subject))
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
	rank := l.rank(s)
	i, known := r.find(l.tag, s)
	if known && r.ranks[i] == rank {
		r.duplicate(l, r.entries[i].Line)
		return
	}
	v, ok := r.value(l)
	if !ok {
		return
	}
	e := Entry{l.tag, s.network, s.unresolved, s.name, v, r.line, l.key}
	switch {
	case !known:
		r.add(e)
		r.ranks = append(r.ranks, rank)
	case rank < r.ranks[i]:
		r.entries[i], r.ranks[i] = e, rank
	}
}

// noteMisspelt notes a line whose key is a word of ours without the colon, which sendmail takes for
// a name, and reports whether it is one.
func (r *reader) noteMisspelt(l line) bool {
	words := strings.FieldsFunc(l.value, isBlank)
	s, ok := parseSubject(lower(words[0]))
	isSubject := ok && (s.name == "" || strings.Contains(s.name, "."))
	switch {
	case l.value[0] == ':':
		r.note("a blank before the colon after "+quoted(l.key), "write "+quoted(l.key+":"))
	case isSubject && len(words) > 1:
		r.note("a blank in place of the colon after "+quoted(l.key),
			"write "+l.key+":"+words[0])
	default:
		return false
	}
	return true
}

// value reads the value of a line. ok is false if sendmail takes it for none.
func (r *reader) value(l line) (v Value, ok bool) {
	read, known := r.values[l.tag][l.value]
	if !known {
		read.v, read.remark = parseValue(l)
		if len(r.values[l.tag]) == maxValues {
			clear(r.values[l.tag])
		}
		if !strings.Contains(l.value, "%") { // else it depends on the key
			r.values[l.tag][l.value] = read
		}
	}
	if read.remark.Msg != "" {
		r.note(read.remark.Msg, read.remark.Hint)
	}
	return read.v, read.v.Kind != Nothing
}

// enterBare adds a line whose key is a tag alone.
func (r *reader) enterBare(l line) {
	words := strings.FieldsFunc(l.value, isBlank)
	_, isSubject := parseSubject(lower(words[0]))
	switch {
	case len(words) > 1 && isSubject && !isDigits(words[0]):
		r.note("a blank after "+quoted(l.key)+", which is then the whole key",
			"write "+l.key+words[0])
	case l.tag == Connect:
		r.note(quoted(l.key)+" never matches", "write a name or an address after it")
	case l.tag == GreetPause:
		r.note(quoted(l.key)+" never matches: sendmail has its default in FEATURE(greet_pause)",
			"write greet_delay in sendwrap.conf")
	case r.bare[l.tag] != nil:
		r.duplicate(l, r.bare[l.tag].Line)
	default:
		v, ok := r.value(l)
		if v.Kind == Skip {
			r.note("sendmail refuses everybody by "+quoted(l.value)+"; here it is no limit",
				"write 0 for no limit")
			v = Value{Kind: Number}
		}
		if ok {
			r.bare[l.tag] = &Entry{Tag: l.tag, Value: v, Line: r.line, Key: l.key}
		}
	}
}

func (r *reader) duplicate(l line, first int) {
	r.note("duplicate key "+quoted(l.key)+": the first, in line "+strconv.Itoa(first)+", stays",
		"remove one of the two")
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
			if _, ok := r.networks[e.Tag][place{network: e.Network}]; !ok {
				r.add(e)
			}
		}
	}
}
