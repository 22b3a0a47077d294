package surroundings

import (
	"path/filepath"
	"strings"
)

// Tcpserver is a tcpserver by its command line.
type Tcpserver struct {
	Flags   string          // options without a value: HR
	Values  map[byte]string // of the others: c is 40
	Host    string
	Port    string
	Program []string // with its arguments
}

// ParseTcpserver reads the command line of a process; ok is false if it is no tcpserver.
func ParseTcpserver(command []string) (t Tcpserver, ok bool) {
	const withValue = "xtuglbBcI"
	if len(command) == 0 || filepath.Base(command[0]) != "tcpserver" {
		return t, false
	}
	rest := command[1:]
	t.Values = map[byte]string{}
	for len(rest) > 0 && len(rest[0]) > 1 && rest[0][0] == '-' {
		word := rest[0][1:]
		rest = rest[1:]
		if word == "-" {
			break
		}
		i := strings.IndexAny(word, withValue)
		switch {
		case i < 0:
			t.Flags += word
		case i < len(word)-1: // -c40
			t.Flags += word[:i]
			t.Values[word[i]] = word[i+1:]
		case len(rest) > 0: // -c 40
			t.Flags += word[:i]
			t.Values[word[i]] = rest[0]
			rest = rest[1:]
		}
	}
	if len(rest) < 3 {
		return t, false
	}
	t.Host, t.Port, t.Program = rest[0], rest[1], rest[2:]
	return t, true
}
