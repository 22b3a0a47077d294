package compile

import (
	"slices"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/access"
	"sendwrap/wrapper/policy"
)

// fillMap makes what the content has of the access map, which is the source with that number.
func fillMap(content *policy.Content, m *access.Map, file uint16, merged *limitsTable) {
	c, unresolved := newCollector(), newCollector()
	replies := replyTable{numbers: map[string]uint32{}}
	entries := m.Entries()
	for i := range entries {
		if e := &entries[i]; e.Unresolved {
			unresolved.addEntry(e, &replies)
		} else {
			c.addEntry(e, &replies)
		}
	}
	files := []uint16{file}
	content.Map = c.table(files, merged)
	if len(unresolved.networks) > 0 {
		content.Unnamed = unresolved.table(files, merged)
	}
	content.Replies = replies.all
}

// replyTable numbers different replies, from 1.
type replyTable struct {
	all     []string
	numbers map[string]uint32
}

func (t *replyTable) number(text string) uint32 {
	if text == "" {
		return 0
	}
	n, found := t.numbers[text]
	if !found {
		t.all = append(t.all, text)
		n = uint32(len(t.all))
		t.numbers[text] = n
	}
	return n
}

// addEntry takes an entry of an access map. No two have the same tag and network, or name.
func (c *collector) addEntry(e *access.Entry, replies *replyTable) {
	c.isMap = true
	var s *said
	if e.Name != "" {
		s = &c.names[c.nameIndex(e.Name)].said
	} else if i, err := c.index(e.Network); err == nil {
		s = &c.networks[i].said
	} else {
		return
	}
	f := e.Effect()
	if f.Decides {
		s.decides, s.access, s.reply = true, f.Access, replies.number(f.Reply)
		s.accessAt = place{line: int32(e.Line)}
	}
	s.limits = c.limits.number(c.limits.all[s.limits].OverriddenBy(f.Limits))
	for _, k := range f.Unset {
		s.unset |= 1 << k
	}
}

// without are limits without those of the keys, one bit each.
func without(l rule.Limits, keys uint16) rule.Limits {
	for k := range rule.Keys {
		if keys>>k&1 == 1 {
			l.Clear(k)
		}
	}
	return l
}

// sourceNumber is the number of a file among the sources.
func sourceNumber(file string, sources []policy.Source) int {
	return slices.IndexFunc(sources, func(s policy.Source) bool { return s.Path == file })
}
