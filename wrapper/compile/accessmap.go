package compile

import (
	"fmt"
	"slices"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/access"
	"sendwrap/wrapper/policy"
)

// fillMap makes what the content has of the access map, which is the source with that number. The
// error is about an entry for a network that no client can be in.
func fillMap(
	content *policy.Content, m *access.Map, file uint16, merged *limitsTable,
) error {
	c, unresolved := newCollector(), newCollector()
	replies := replyTable{numbers: map[string]uint32{}}
	entries := m.Entries()
	for i := range entries {
		e, into := &entries[i], c
		if e.Unresolved {
			into = unresolved
		}
		if err := into.addEntry(e, &replies); err != nil {
			return fmt.Errorf("%d: %w", e.Line, err)
		}
	}
	files := []uint16{file}
	content.Map = c.table(files, merged)
	if len(unresolved.networks) > 0 {
		content.Unnamed = unresolved.table(files, merged)
	}
	content.Replies = replies.all
	return nil
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
func (c *collector) addEntry(e *access.Entry, replies *replyTable) error {
	c.isMap = true
	var s *said
	if e.Name != "" {
		s = &c.names[c.nameIndex(e.Name)].said
	} else {
		i, err := c.index(e.Network)
		if err != nil {
			return err
		}
		s = &c.networks[i].said
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
	return nil
}

// without are limits without those of the keys.
func without(l rule.Limits, keys keySet) rule.Limits {
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
