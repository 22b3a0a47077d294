package policy

import (
	"math/bits"
	"strings"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/siphash"
)

// nameTable says where the names are. The hash of a name leads to the one page that can have it:
// however many names there are, each costs one page to look up. The client chooses its own name,
// but whatever the hash is, the text decides; and without the key, nobody can choose names that all
// lead to one page.
type nameTable struct {
	at, pages uint32    // 0 pages: there are no names
	labels    uint32    // at most, of one
	key       [4]uint32 // of the hash
}

// nameHead is what an entry has before its text: the rule, and the length of the text.
const nameHead = ruleSize + 1

func (t *nameTable) sane(pages uint32) bool {
	return t.pages == 0 ||
		t.at > 0 && t.at < pages && t.pages <= pages-t.at && t.labels <= rule.MaxLabels
}

func (t *nameTable) setKey(key [2]uint64) {
	for i := range t.key {
		t.key[i] = uint32(key[i/2] >> (32 * (i % 2)))
	}
}

func (t *nameTable) hash(name string) uint64 {
	var text [rule.MaxName]byte
	k := &t.key
	key := [2]uint64{uint64(k[0]) | uint64(k[1])<<32, uint64(k[2]) | uint64(k[3])<<32}
	return siphash.Sum(key, text[:copy(text[:], name)])
}

// pageOf is the page that a hash leads to, counted from the first one with names.
func pageOf(hash uint64, pages uint32) uint32 {
	page, _ := bits.Mul64(hash, uint64(pages))
	return uint32(page)
}

// HasNames reports whether sendwrap.conf has rules for names.
func (c *Compiled) HasNames() bool { return c.header.names.pages > 0 }

// MatchName is that of an allowlist.List. It reads the file.
func (c *Compiled) MatchName(name string) (rule.Match, error) {
	return c.lookupName(&c.header.names, name)
}

// lookupName finds the name, or the next wider one: this has what holds for it.
func (c *Compiled) lookupName(t *nameTable, name string) (m rule.Match, err error) {
	name, ok := rule.NormalName(name)
	if !ok || t.pages == 0 {
		return m, nil
	}
	for ; name != ""; name = rule.WiderName(name) {
		if t == &c.header.access.names {
			name = strings.TrimPrefix(name, ".") // a key holds itself, and all below
		}
		if rule.Labels(name) > int(t.labels) {
			continue
		}
		found, ok, err := c.findName(t, name)
		if err != nil {
			return m, err
		}
		if ok {
			return c.nameMatch(t, name, found)
		}
	}
	return m, nil
}

// findName finds a name in its page.
func (c *Compiled) findName(t *nameTable, name string) (r Rule, ok bool, err error) {
	if err := c.read(t.at+pageOf(t.hash(name), t.pages), namesPage); err != nil {
		return r, false, err
	}
	b := c.page[headSize:]
	for range c.page.head().count {
		if len(b) < nameHead || len(b) < nameHead+int(b[ruleSize]) {
			return r, false, c.damaged()
		}
		text := b[nameHead : nameHead+int(b[ruleSize])]
		if string(text) == name {
			return readRule(b), true, nil
		}
		b = b[nameHead+len(text):]
	}
	return r, false, nil
}

// nameMatch is what the rule of a name says.
func (c *Compiled) nameMatch(t *nameTable, name string, r Rule) (m rule.Match, err error) {
	if r.Access != rule.Unset {
		from := len(name) - int(r.Bits)
		dot := from // before which a name begins that is wider
		if t == &c.header.access.names {
			dot--
		}
		if from < 0 || from == len(name) || from > 0 && name[dot] != '.' {
			return m, c.damaged()
		}
		m.Name = name[from:]
	}
	if err := c.addRule(&m, r); err != nil {
		return rule.Match{}, err
	}
	return m, nil
}
