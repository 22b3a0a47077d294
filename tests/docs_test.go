package tests

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// mandoc's lint knows what a man page of this kind should look like. Which other pages are
// installed here is not its business.
func TestManPages(t *testing.T) {
	lab.NeedProgram(t, "mandoc")
	pages, err := filepath.Glob("../docs/*.[58]")
	if err != nil || len(pages) < 2 {
		t.Fatalf("man pages: %q, %v", pages, err)
	}
	for _, page := range pages {
		out, _ := exec.Command("mandoc", "-T", "lint", page).CombinedOutput() // its status is about the complaints
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if line != "" && !strings.Contains(line, "referenced manual not found") && !strings.Contains(line, "outdated mandoc.db") {
				t.Error(line)
			}
		}
	}
}
