package config

import "strings"

// observe is the last word of a line that refuses nobody.
const observe = "observe"

// cutObserve is the line's arguments without observe at their end, and whether it is there. Where
// it stands alone, the value stays as it is.
func (d *directive) cutObserve(args []string) (rest []string, found bool) {
	if last := len(args) - 1; d.observed != 0 && args[last] == observe {
		return args[:last], true
	}
	return args, false
}

// notAlone is the error for a wrong line that ends in observe, of a directive that cannot.
func notAlone() *Error {
	return newError("remove observe, or write mode observe", "it cannot be observed alone")
}

// line is the directive as it is set, in a form that set reads.
func (d *directive) line(c *Config) string { return d.withObserve(d.print(c), c) }

// withObserve is the value, and observe if the directive is observed.
func (d *directive) withObserve(value string, c *Config) string {
	if c.Observed.Has(d.observed) {
		value += " " + observe
	}
	return value
}

// meansObserve reports whether a word of a wrong line is probably meant to be observe.
func meansObserve(word string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimLeft(word, `"'[`)), "observ")
}
