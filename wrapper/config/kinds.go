package config

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is what the bytes look like that a client sends before the greeting.
type Kind uint8

const (
	Ehlo Kind = iota
	Pipelined
	TLS
	HTTP
	Proxy
	Other
	numKinds
)

// kinds are the words for them, in the order of the constants.
var kinds = []string{"ehlo", "pipelined", "tls", "http", "proxy", "other"}

func (k Kind) String() string { return wordOf(k, kinds) }

// KindOf returns the kind of a word.
func KindOf(word string) (k Kind, found bool) {
	i := slices.Index(kinds, word)
	return Kind(max(0, i)), i >= 0
}

// Weights are the strikes for early bytes of each kind, 0 to 8.
type Weights [numKinds]int

// String is the spelling of sendwrap.conf: "ehlo=1 pipelined=1 tls=0 …".
func (w Weights) String() string {
	var words []string
	for k, n := range w {
		words = append(words, kinds[k]+"="+strconv.Itoa(n))
	}
	return strings.Join(words, " ")
}

// setStrikesByKind leaves the kinds unchanged that args do not name.
func setStrikesByKind(c *Config, args []string) error {
	w := c.KindStrikes
	_, err := readPairs(args, kinds, func(word, value string) error {
		kind, _ := KindOf(word)
		return setCount(&w[kind], value, 0, maxStrikes)
	})
	if err == nil {
		c.KindStrikes = w
	}
	return err
}
