package tests

import (
	"os"
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

// README quotes rows of the benchmark, by their names.
func TestQuotedRows(t *testing.T) {
	texts := map[string]string{}
	for _, name := range []string{"README.md", "docs/BENCHMARKS.md"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	_, quoted, _ := strings.Cut(texts["README.md"], "\n| measured on ")
	quoted, _, _ = strings.Cut(quoted, "\n\n")
	rows := strings.Split(quoted, "\n")[2:] // without the head and its rule
	for _, row := range rows {
		name := strings.TrimSpace(strings.Split(row, "|")[1])
		if !strings.Contains(texts["docs/BENCHMARKS.md"], "\n"+name+"  ") {
			t.Errorf("README quotes %q, which is no row of docs/BENCHMARKS.md", name)
		}
	}
	if len(rows) != 10 {
		t.Errorf("README quotes %d rows; want 10", len(rows))
	}
}
