package config

import (
	"path/filepath"
	"strings"
)

// setAccess sets the path as it is written. absoluteAccess completes it.
func setAccess(c *Config, args []string) error {
	switch path := args[0]; {
	case path == off:
		c.AccessMap = ""
	case path == "0", meansOff(path):
		return newError("write off", "%s is not a file", quoted(path))
	case strings.HasSuffix(path, ".db"):
		return newError("write "+strings.TrimSuffix(path, ".db")+", the text that makemap reads",
			"%s is the compiled map", quoted(path))
	default:
		c.AccessMap = path
	}
	return nil
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
