package config

import "strings"

// pairs reads the KEY=VALUE words of one directive, each key once.
type pairs struct {
	known []string
	given uint // bit i: known[i]
}

// split takes a word apart. The key is one of those known.
func (p *pairs) split(word string) (key, value string, err error) {
	equals := strings.IndexByte(word, '=')
	if equals < 0 && len(p.known) == 1 && !strings.ContainsFunc(word, notInLabel) {
		return "", "", wrong("write "+p.known[0]+"="+word, "%s is not KEY=VALUE", quoted(word))
	}
	if equals < 0 {
		return "", "", wrong("write "+p.list(), "%s is not KEY=VALUE", quoted(word))
	}
	key, value = word[:equals], word[equals+1:]
	for i, known := range p.known {
		if key != known {
			continue
		}
		if p.given&(1<<i) != 0 {
			return "", "", wrong("keep one", "%s is given twice", key)
		}
		p.given |= 1 << i
		return known, value, nil
	}
	if meant := Nearest(key, p.known); meant != "" {
		return "", "", wrong("did you mean "+meant+"?", "unknown key %s", quoted(key))
	}
	return "", "", wrong("write "+p.list(), "unknown key %s", quoted(key))
}

// list names the keys as they are written.
func (p *pairs) list() string {
	var list []string
	for _, key := range p.known {
		list = append(list, key+"=")
	}
	return oneOf(list)
}
