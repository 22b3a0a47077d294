package config

import (
	"slices"
	"strings"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/spelling"
)

// A wrong line is skipped, and then its default can refuse mail that the line was meant to let in.
// So each directive that can refuse mail has a lenient value, which applies instead of the default.
// The error names it.

// refusals are the directives that become lenient if a wrong line leaves open which client it
// means: until it is corrected, no client is refused for good or blocked.
var refusals = []string{"on_pregreet", "on_denied", "block", "on_listed"}

// reject notes an error in a line of the directive, -1 if that is unknown, and makes it lenient.
func (l *loader) reject(at rule.Source, err error, directive int, args []string) {
	e := *fromAllowlist(err)
	e.InEffect = l.makeLenient(directive, args)
	l.errors.add(at, &e)
}

// makeLenient makes the directive lenient, or those that stand for it, and returns them with their
// values.
func (l *loader) makeLenient(directive int, args []string) (inEffect string) {
	if directive < 0 {
		return ""
	}
	d := &l.table[directive]
	if d.lenientBy != nil {
		var all []string
		for _, name := range d.lenientBy {
			all = append(all, l.makeLenient(l.index(name), nil))
		}
		return strings.Join(all, ", ")
	}
	if d.Lenient == "" || d.lenientIf != nil && !d.lenientIf(args) {
		return ""
	}
	l.lenient |= 1 << directive
	if d.observed != 0 && slices.ContainsFunc(args, meansObserve) {
		l.config.Observed |= d.observed
	}
	return d.Name + " " + d.withObserve(d.Lenient, l.config)
}

// applyLenient sets the lenient values. They override right lines of the same directive.
func (l *loader) applyLenient() {
	for i := range l.table {
		if d := &l.table[i]; l.lenient>>i&1 == 1 {
			_ = d.set(l.config, strings.Fields(d.Lenient)) // a test sets each
		}
	}
}

// index is the directive of that name, -1 if there is none.
func (l *loader) index(name string) int {
	return slices.IndexFunc(l.table, func(d directive) bool { return d.Name == name })
}

// guessDirective is the directive that a wrong line probably means, or -1. The guess is by the
// beginning of its first word, by a word that only one directive takes, or by similar spelling.
func (l *loader) guessDirective(line string) int {
	line = strings.ToLower(line[:min(len(line), maxShown)])
	word := strings.TrimLeftFunc(line, isOutsideName)
	name := word
	if end := strings.IndexFunc(word, isOutsideName); end >= 0 {
		name = word[:end]
	}
	switch i := l.index(name); {
	case i >= 0:
		return i
	case meansObserve(word):
		return l.index("mode")
	case l.errors.full(): // a further search takes time
		return -1
	}
	if end := strings.IndexFunc(word, isNameEnd); end >= 0 {
		word = word[:end]
	}
	if name, known := otherNames[word]; known {
		return l.index(name)
	}
	return l.index(spelling.Nearest(word, l.names()))
}

// otherNames are names that directives have in other programs. By spelling alone, delay would be
// nearest to deny.
var otherNames = map[string]string{
	"delay": "greet_delay", "greet_pause": "greet_delay", "greetpause": "greet_delay",
	"access_db": "access", "access_map": "access", "accessdb": "access",
	"whitelist": "allow", "allowlist": "allow", "permit": "allow", "accept": "allow",
	"blacklist": "deny", "denylist": "deny", "blocklist": "deny",
	"postscreen_dnsbl_sites": "dnsbl", "reject_rbl_client": "dnsbl", "rbl": "dnsbl",
	"postscreen_dnsbl_threshold":           "dnsbl_threshold",
	"postscreen_dnsbl_allowlist_threshold": "dnsbl_welcome",
	"postscreen_dnsbl_whitelist_threshold": "dnsbl_welcome",
	"postscreen_dnsbl_min_ttl":             "dnsbl_ttl",
	"postscreen_dnsbl_max_ttl":             "dnsbl_ttl",
	"postscreen_dnsbl_action":              "on_listed",
	"nameserver":                           "resolver",
}

func isNameEnd(r rune) bool { return strings.ContainsRune(" \t=:", r) }

func (l *loader) names() (all []string) {
	for i := range l.table {
		all = append(all, l.table[i].Name)
	}
	return all
}

func isOutsideName(r rune) bool {
	return !(r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
}

// switchesOff reports whether one of the words means "off", in any spelling.
func switchesOff(args []string) bool {
	return slices.ContainsFunc(args, func(word string) bool {
		zero := strings.Contains(word, "0") && !strings.ContainsAny(word, "123456789=")
		return zero || meansOff(word)
	})
}
