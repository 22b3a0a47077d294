package compile

import (
	"strings"

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
		var unset keySet
		decided := false
		for text := n.Text; text != ""; text = rule.WiderName(text) {
			if c.isMap {
				text = strings.TrimPrefix(text, ".")
			}
			at, found := c.called[text]
			if !found {
				continue
			}
			s := &c.names[at].said
			limits = without(c.limits.all[s.limits], unset).OverriddenBy(limits)
			unset |= s.unset
			if !decided && s.hasAccess() {
				decided = true
				n.Access, n.Line, n.File = s.access, uint32(s.accessAt.line), files[s.accessAt.file]
				n.Bits, n.Reply = uint8(len(text)), s.reply
			}
		}
		n.Limits = merged.number(limits)
		all[i] = n
	}
	return all
}
