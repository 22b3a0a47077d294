package surroundings

import (
	"os"
	"path/filepath"
	"testing"

	"sendwrap/tests/lab"
)

// The tests have a network and a /proc of their own.
func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }

// machineWith makes a machine with these files. A text that begins with "-> " is a link.
func machineWith(t *testing.T, files map[string]string) Machine {
	t.Helper()
	m := Machine{t.TempDir()}
	for name, text := range files {
		name = m.outside(name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if to, isLink := cutLink(text); err == nil && isLink {
			err = os.Symlink(to, name)
		} else if err == nil {
			err = os.WriteFile(name, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func cutLink(text string) (to string, isLink bool) {
	const arrow = "-> "
	if len(text) > len(arrow) && text[:len(arrow)] == arrow {
		return text[len(arrow):], true
	}
	return "", false
}

// packaged is a file of packaging/.
func packaged(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../packaging", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
