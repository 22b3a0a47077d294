package policy

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

	Kinds // how many there are
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
type Weights [Kinds]int

// String is the spelling of sendwrap.conf: "ehlo=1 pipelined=1 tls=0 …".
func (w Weights) String() string {
	var words []string
	for k, n := range w {
		words = append(words, kinds[k]+"="+strconv.Itoa(n))
	}
	return strings.Join(words, " ")
}
