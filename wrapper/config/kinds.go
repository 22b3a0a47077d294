package config

import (
	"slices"
	"strconv"
	"strings"
)

// Kind is what bytes look like that a client has sent before the greeting.
type Kind uint8

const (
	Ehlo Kind = iota
	Pipelined
	TLS
	HTTP
	Proxy
	Other
	kindsInAll
)

// kinds are the words for them, in the order of the constants.
var kinds = []string{"ehlo", "pipelined", "tls", "http", "proxy", "other"}

func (k Kind) String() string { return chosen(k, kinds) }

// KindOf is the kind that a word stands for, and whether it stands for any.
func KindOf(word string) (Kind, bool) {
	i := slices.Index(kinds, word)
	return Kind(max(0, i)), i >= 0
}

// Weights are how many strikes early bytes of each kind are, 0 to 8.
type Weights [kindsInAll]int

// String is the spelling of sendwrap.conf: "ehlo=1 pipelined=1 tls=0 …".
func (w Weights) String() string {
	var words []string
	for k, n := range w {
		words = append(words, kinds[k]+"="+strconv.Itoa(n))
	}
	return strings.Join(words, " ")
}

// setStrikesByKind leaves the kinds that are not named as they are.
func setStrikesByKind(c *Config, args []string) error {
	w := c.KindStrikes
	p := pairs{known: kinds}
	for _, arg := range args {
		word, value, err := p.split(arg)
		if err != nil {
			return err
		}
		kind, _ := KindOf(word)
		if err := setCount(&w[kind], value, 0, maxStrikes); err != nil {
			return within(word, err)
		}
	}
	c.KindStrikes = w
	return nil
}
