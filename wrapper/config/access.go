package config

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/access"
)

// setAccess sets the path as it is written. absoluteAccess completes it.
func setAccess(c *Config, args []string) error {
	switch path := args[0]; {
	case path == off:
		c.AccessMap = ""
	case path == "0", meansOff(path):
		return newError("write off", "%s is not a file", quoted(path))
	case mapType(path) != "":
		return newError("write access "+strings.TrimPrefix(path, mapType(path)),
			"%s begins with the type of a database", quoted(path))
	case strings.HasSuffix(path, ".db"):
		return newError("write "+strings.TrimSuffix(path, ".db")+", the text that makemap reads",
			"%s is the compiled map", quoted(path))
	default:
		c.AccessMap = path
	}
	return nil
}

// mapType is what Postfix and sendmail write before the name of a map: "hash:"; "" for a path.
func mapType(path string) string {
	before, _, found := strings.Cut(path, ":")
	if !found || strings.ContainsAny(before, "/.") {
		return ""
	}
	return before + ":"
}

func printAccess(c *Config) string {
	if c.AccessMap == "" {
		return off
	}
	return joinWords(c.AccessMap)
}

// absoluteAccess makes the path of the access map relative to the file that names it.
func (l *loader) absoluteAccess() {
	if path := l.config.AccessMap; path != "" && !filepath.IsAbs(path) {
		named := l.setAt[l.index("access")].File
		l.config.AccessMap = filepath.Join(filepath.Dir(named), path)
	}
}

// readMap reads the access map. Without it, nobody knows which clients it spares.
func (l *loader) readMap() {
	path := l.config.AccessMap
	if path == "" {
		return
	}
	directive := l.index("access")
	text, err := l.mapText(path)
	if err != nil {
		l.reject(l.setAt[directive], prefixError("access", err), directive, nil)
		return
	}
	m := access.Read(text)
	m.File = path
	for _, n := range m.Mistakes {
		lenient := directive
		if !n.LetsIn {
			lenient = -1
		}
		at := rule.Source{File: path, Line: n.Line}
		l.reject(at, newError(n.Hint, "%s", n.Msg), lenient, nil)
	}
	l.config.Map = m
}

func (l *loader) mapText(path string) (string, error) {
	f, err := l.open(path)
	if err != nil {
		return "", err
	}
	defer unix.Close(f.fd)
	return l.read(f)
}
