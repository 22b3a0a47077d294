package config

import (
	"strings"

	"sendwrap/wrapper/spelling"
)

// readPairs reads the KEY=VALUE words of a directive and calls set for each. It refuses unknown
// keys, and a key that is given twice. given has bit i set if known[i] was given.
func readPairs(
	args, known []string, set func(key, value string) error,
) (given uint, err error) {
	p := pairs{known: known}
	for _, arg := range args {
		key, value, err := p.split(arg)
		if err == nil {
			err = prefixError(key, set(key, value))
		}
		if err != nil {
			return p.given, err
		}
	}
	return p.given, nil
}

// readPair is readPairs for a directive with one key.
func readPair(args []string, key string, set func(value string) error) (given bool, err error) {
	bits, err := readPairs(args, []string{key}, func(_, value string) error { return set(value) })
	return bits != 0, err
}

// pairs splits the KEY=VALUE words of one directive.
type pairs struct {
	known []string
	given uint // bit i: known[i]
}

// split returns the key, one of known, and the value of a word.
func (p *pairs) split(word string) (key, value string, err error) {
	equals := strings.IndexByte(word, '=')
	if equals < 0 && len(p.known) == 1 && !strings.ContainsFunc(word, isOutsideLabel) {
		return "", "", newError("write "+p.known[0]+"="+word, "%s is not KEY=VALUE", quoted(word))
	}
	if equals < 0 {
		return "", "", newError("write "+p.list(), "%s is not KEY=VALUE", quoted(word))
	}
	key, value = word[:equals], word[equals+1:]
	for i, known := range p.known {
		if key != known {
			continue
		}
		if p.given&(1<<i) != 0 {
			return "", "", newError("keep one", "%s is given twice", key)
		}
		p.given |= 1 << i
		return known, value, nil
	}
	if meant := spelling.Nearest(key, p.known); meant != "" {
		return "", "", newError("did you mean "+meant+"?", "unknown key %s", quoted(key))
	}
	return "", "", newError("write "+p.list(), "unknown key %s", quoted(key))
}

// list is the keys in an error: "for=, max= or kill=".
func (p *pairs) list() string {
	var list []string
	for _, key := range p.known {
		list = append(list, key+"=")
	}
	return oneOf(list)
}
