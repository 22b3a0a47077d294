package admin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// If the MTA cannot be started try says so, and shows no other in its place.
func TestTryWithoutMTA(t *testing.T) {
	plain := filepath.Join(t.TempDir(), "mta")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for mta, want := range map[string]string{
		"/nosuch": ":1: mta: exec /nosuch: no such file or directory; write mta PROGRAM",
		plain: ":1: mta: exec " + plain + ": permission denied: the file is not executable; " +
			"write mta PROGRAM",
	} {
		for _, args := range [][]string{{"try"}, {"try", "-room"}, {"try", "-listen", ":0"}} {
			p := inPlace(t, "")
			p.write(strings.Replace(p.read(), "/bin/true", mta, 1))
			out, said := p.says(ExitUsage, args...)
			if out != "" || !strings.HasPrefix(said, p.conf+want) {
				t.Errorf("%q, %s: %q, %q; want %q", args, mta, out, said, want)
			}
		}
	}
}
