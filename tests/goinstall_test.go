package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// go install and go build work in a fresh checkout. The line of README makes the entry point of the
// released program; without its flags, sendwrap version says what is missing.
func TestGoInstall(t *testing.T) {
	lab.NeedProgram(t, "go")
	checkout := t.TempDir()
	for _, pattern := range []string{"go.*", "*.go", "allowlist", "exec", "wrapper"} {
		names, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %q, %v", pattern, names, err)
		}
		for _, name := range names {
			if out, err := exec.Command("cp", "-r", name, checkout).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	}
	documented := ""
	for line := range strings.Lines(read(t, "../README.md")) {
		if strings.Contains(line, "go install -") {
			documented = strings.TrimSpace(line)
		}
	}
	bin := t.TempDir()
	program := filepath.Join(bin, "sendwrap")
	for line, note := range map[string]bool{
		documented:              false,
		"go install .":          true,
		"go build -o $GOBIN/ .": true,
	} {
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir, cmd.Env = checkout, append(os.Environ(), "GOBIN="+bin)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		version, err := exec.Command(program, "version").CombinedOutput()
		if err != nil || strings.Contains(string(version), "built without ") != note {
			t.Errorf("%s: %v\n%s", line, err, version)
		}
	}
}
