package compile

import (
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// namesAndWider makes the names of a policy: each has what holds for it, with what was said of the
// names above it.
func (c *collector) namesAndWider(files []uint16, merged *limitsTable) []policy.Name {
	all := make([]policy.Name, len(c.names))
	for i := range c.names {
		n := policy.Name{Text: c.names[i].text}
		var limits rule.Limits
		for text := n.Text; text != ""; text = rule.WiderName(text) {
			at, found := c.called[text]
			if !found {
				continue
			}
			s := &c.names[at].said
			limits = c.limits.all[s.limits].OverriddenBy(limits)
			if n.Access == rule.Unset && s.access != rule.Unset {
				n.Access, n.Line, n.File = s.access, uint32(s.accessAt.line), files[s.accessAt.file]
				n.Bits = uint8(len(text))
			}
		}
		n.Limits = merged.number(limits)
		all[i] = n
	}
	return all
}
