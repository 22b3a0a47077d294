package policy

import "strings"

const (
	// DefaultPath is the configuration file without -f.
	DefaultPath = "/etc/sendwrap.conf"

	// Dir is where compiled policies are, unless the build names another directory.
	Dir = "/var/lib/sendwrap"
)

// Path is the place in dir of the compiled policy of a configuration file. ok is false for a
// relative name: it may mean another file to the next process.
func Path(dir, file string) (path string, ok bool) {
	switch {
	case file == DefaultPath:
		return dir + "/policy", true
	case !strings.HasPrefix(file, "/"):
		return "", false
	}
	const digits = "0123456789abcdef"
	name := hashOf(file)
	b := []byte(dir + "/policy-0123456789abcdef")
	for i := range 16 {
		b[len(b)-1-i] = digits[name>>(4*i)&0xf]
	}
	return string(b), true
}

// hashOf is FNV-1a. Two files with the same hash do no harm but that each takes the place of the
// other's policy: a policy names its file.
func hashOf(s string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 0x100000001b3
	}
	return h
}
