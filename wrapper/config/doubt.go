package config

import (
	"slices"
	"strings"

	"sendwrap/allowlist"
)

// A default that is stricter than what a wrong line can have meant refuses mail that is wanted. So
// a directive that can refuse any says what holds instead, its Doubt, and the error tells.

// whoeverWasMeant are in doubt where it cannot be told which client is meant: until that is known
// nobody is refused for good, or blocked.
var whoeverWasMeant = []string{"on_pregreet", "on_denied", "block"}

// mistake notes an error in a line of the directive, -1 for none, and what it puts in doubt.
func (l *loader) mistake(at allowlist.Source, err error, directive int, args []string) {
	e := *fromAllowlist(err)
	e.Holds = l.doubt(directive, args)
	l.errors.add(at, &e)
}

// doubt puts the directive in doubt, or those that depend on it, and says what holds therefore.
func (l *loader) doubt(directive int, args []string) (holds string) {
	if directive < 0 {
		return ""
	}
	d := &l.table[directive]
	if d.doubts != nil {
		var all []string
		for _, name := range d.doubts {
			all = append(all, l.doubt(l.index(name), nil))
		}
		return strings.Join(all, ", ")
	}
	if d.Doubt == "" || d.onlyIf != nil && !d.onlyIf(args) {
		return ""
	}
	l.doubtful |= 1 << directive
	return d.Name + " " + d.Doubt
}

// settle has hold what is to hold in doubt, whatever right lines say.
func (l *loader) settle() {
	for i := range l.table {
		if d := &l.table[i]; l.doubtful>>i&1 == 1 {
			_ = d.set(l.config, strings.Fields(d.Doubt)) // a test sets each
		}
	}
}

// index is the directive of that name, -1 if there is none.
func (l *loader) index(name string) int {
	return slices.IndexFunc(l.table, func(d Directive) bool { return d.Name == name })
}

// meant is the directive that a line was probably meant to be: by what its first word begins with,
// by a word that only one of them takes, or by its first word but for a few letters; -1 if that
// cannot be told.
func (l *loader) meant(line string) int {
	line = strings.ToLower(line[:min(len(line), maxShown)])
	word := strings.TrimLeftFunc(line, notInName)
	name := word
	if end := strings.IndexFunc(word, notInName); end >= 0 {
		name = word[:end]
	}
	switch i := l.index(name); {
	case i >= 0:
		return i
	case strings.Contains(line, "observ"):
		return l.index("mode")
	case l.errors.full(): // to find out more takes time
		return -1
	}
	if end := strings.IndexFunc(word, ends); end >= 0 {
		word = word[:end]
	}
	if name, known := otherNames[word]; known {
		return l.index(name)
	}
	return l.index(Nearest(word, l.names()))
}

// otherNames are names of directives that other programs have. By their letters alone delay would
// be closest to deny.
var otherNames = map[string]string{
	"delay": "greet_delay", "greet_pause": "greet_delay", "greetpause": "greet_delay",
	"whitelist": "allow", "allowlist": "allow", "permit": "allow", "accept": "allow",
	"blacklist": "deny", "denylist": "deny", "blocklist": "deny",
}

// ends says whether what looks like a directive's name ends there.
func ends(r rune) bool { return strings.ContainsRune(" \t=:", r) }

func (l *loader) names() (all []string) {
	for i := range l.table {
		all = append(all, l.table[i].Name)
	}
	return all
}

func notInName(r rune) bool {
	return !(r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
}

// sayNone says whether one of the words switches off what it stands for, in whatever spelling.
func sayNone(args []string) bool {
	return slices.ContainsFunc(args, func(word string) bool {
		zero := strings.Contains(word, "0") && !strings.ContainsAny(word, "123456789=")
		return zero || meansNone(word)
	})
}
