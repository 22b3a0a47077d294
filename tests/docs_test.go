package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"sendwrap/tests/lab"
)

// mandoc's lint knows what a man page of this kind should look like. It does not matter which other
// pages are installed here.
func TestManPages(t *testing.T) {
	lab.NeedProgram(t, "mandoc")
	pages, err := filepath.Glob("../docs/*.[58]")
	if err != nil || len(pages) < 2 {
		t.Fatalf("man pages: %q, %v", pages, err)
	}
	for _, page := range pages {
		// The status depends on the complaints.
		out, _ := exec.Command("mandoc", "-T", "lint", page).CombinedOutput()
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			if line != "" && !strings.Contains(line, "referenced manual not found") &&
				!strings.Contains(line, "outdated mandoc.db") {
				t.Error(line)
			}
		}
	}
}

// Each link of README and docs/ leads to an existing file, and to an existing heading.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	for _, page := range markdown(t) {
		for _, to := range link.FindAllStringSubmatch(read(t, page), -1) {
			file, anchor := filepath.Join(filepath.Dir(page), to[1]), strings.TrimPrefix(to[2], "#")
			if to[1] == "" {
				file = page
			}
			if anchor == "" {
				if _, err := os.Stat(file); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			} else if !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: %s has no heading #%s", page, file, anchor)
			}
		}
	}
}

func markdown(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) < 3 {
		t.Fatalf("documents: %q, %v", pages, err)
	}
	return append(pages, "../README.md")
}

// anchors are a page's headings, as links name them.
func anchors(text string) (all []string) {
	for line := range strings.Lines(text) {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			kept := strings.Map(func(r rune) rune {
				switch {
				case r == ' ':
					return '-'
				case r == '-' || unicode.IsLetter(r) || unicode.IsDigit(r):
					return unicode.ToLower(r)
				}
				return -1
			}, strings.TrimSpace(heading))
			all = append(all, kept)
		}
	}
	return all
}

// In Markdown the quotes of m4 begin code, except in blocks of code and in code between two
// backquotes.
func TestQuotesOfM4(t *testing.T) {
	quoted := regexp.MustCompile("`[[:alpha:]_]+'")
	code := regexp.MustCompile("``.+?``")
	for _, page := range markdown(t) {
		fenced := false
		for line := range strings.Lines(read(t, page)) {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			if !fenced && !strings.HasPrefix(line, "    ") &&
				quoted.MatchString(code.ReplaceAllString(line, "")) {
				t.Errorf("%s: quotes of m4 in prose: %s", page, line)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// README quotes rows of the benchmark, by their names.
func TestQuotedRows(t *testing.T) {
	texts := map[string]string{}
	for _, name := range []string{"README.md", "docs/BENCHMARKS.md"} {
		texts[name] = read(t, "../"+name)
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

// The lines that OPERATIONS has for an MTA are those that the scripts have tried: each mta line of
// theirs that does not name a place of the test's own, and each file.
func TestTableOfMTAs(t *testing.T) {
	text, err := os.ReadFile("../docs/OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Which MTA it is\n")
	section, _, _ = strings.Cut(section, "\n## ")
	scripts, err := filepath.Glob("scripts/behind-*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("scripts: %q, %v", scripts, err)
	}
	var held int
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "mta ") || strings.Contains(line, "$WORK") {
				continue
			}
			if held++; !strings.Contains(section, "`"+line+"`") {
				t.Errorf("%s: OPERATIONS has no `%s`", script, line)
			}
		}
		_, file, found := strings.Cut(string(text), "\n-- sendwrap-")
		if !found {
			continue
		}
		file, _, _ = strings.Cut(file, "\n\n-- ")
		lines := strings.Split(file, "\n")[2:] // without its name, and what runs it
		file = "    " + strings.Join(lines, "\n    ") + "\n"
		if held++; !strings.Contains(section, file) {
			t.Errorf("%s: OPERATIONS has not\n%s", script, file)
		}
	}
	if held < 5 {
		t.Errorf("%d lines were looked for: the test proves nothing", held)
	}
}

// OPERATIONS says for each word that a log line may begin with what to do.
func TestLogWords(t *testing.T) {
	page := read(t, "../docs/OPERATIONS.md")
	_, section, _ := strings.Cut(page, "\n## Troubleshooting by log line\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var rows []string
	for line := range strings.Lines(section) {
		if row, found := strings.CutPrefix(line, "| "); found {
			words, _, _ := strings.Cut(row, " |")
			rows = append(rows, strings.Split(words, ", ")...)
		}
	}
	page = read(t, "../docs/sendwrap.8")
	_, page, _ = strings.Cut(page, "\n.Sh LOG\n")
	page, _, _ = strings.Cut(page, "\n.Sh ")
	words := regexp.MustCompile(`(?m)^([A-Z]{3,}) [a-z_]+=`).FindAllStringSubmatch(page, -1)
	verdict := regexp.MustCompile(`(?m)^\| ([A-Z]+) \|`)
	words = append(words, verdict.FindAllStringSubmatch(read(t, "../README.md"), -1)...)
	if len(words) < 24 {
		t.Errorf("%d words: the test proves nothing", len(words))
	}
	for _, word := range words {
		if !slices.Contains(rows, word[1]) {
			t.Errorf("OPERATIONS, \"Troubleshooting by log line\", has no %s", word[1])
		}
	}
}

// Each word by which status says why a list of DNS is set aside is in the man page.
func TestListWords(t *testing.T) {
	_, page, _ := strings.Cut(read(t, "../docs/sendwrap.8"), "\n.Sh STATUS FOR PROGRAMS\n")
	page, _, _ = strings.Cut(page, "\n.Sh ")
	constant := regexp.MustCompile(`(?m)^\t[A-Z][A-Za-z]+ +(?:string )?= "([a-z-]+)"$`)
	words := constant.FindAllStringSubmatch(read(t, "../wrapper/dnsbl/answer.go"), -1)
	if len(words) < 10 {
		t.Errorf("%d words: the test proves nothing", len(words))
	}
	for _, word := range words {
		if !regexp.MustCompile(`(?m)^\.Li (.*, )?` + word[1] + `( |$)`).MatchString(page) {
			t.Errorf("sendwrap(8) has no %s", word[1])
		}
	}
}

// The latest version of CHANGELOG is the one that the program prints.
func TestVersion(t *testing.T) {
	var said bytes.Buffer
	cmd := exec.Command(os.Getenv("SENDWRAP"), "version")
	cmd.Stdout = &said
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	_, latest, _ := strings.Cut(read(t, "../CHANGELOG.md"), "\n## [Unreleased]\n")
	_, latest, _ = strings.Cut(latest, "\n## [")
	latest, _, _ = strings.Cut(latest, "]")
	if !strings.HasPrefix(said.String(), "sendwrap "+latest+" ") || latest == "" {
		t.Errorf("sendwrap version says %q; CHANGELOG has %q", &said, latest)
	}
}

// sendwrap(8) has each member of the JSON that status, report and replay print.
func TestMembersOfJSON(t *testing.T) {
	page := read(t, "../docs/sendwrap.8")
	member := regexp.MustCompile("`json:\"([a-z_0-9]+)[\",]")
	for section, sources := range map[string]string{
		"STATUS FOR PROGRAMS":  "admin/{status,counts,rooms,live,networks,lists,observed,sharing}",
		"REPORTS FOR PROGRAMS": "{report/facts,loglines/read,replay/result}",
	} {
		_, text, _ := strings.Cut(page, "\n.Sh "+section+"\n")
		text, _, _ = strings.Cut(text, "\n.Sh ")
		dir, names, _ := strings.Cut(strings.TrimSuffix(sources, "}"), "{")
		found := 0
		for name := range strings.SplitSeq(names, ",") {
			file := "../wrapper/" + dir + name + ".go"
			for _, m := range member.FindAllStringSubmatch(read(t, file), -1) {
				found++
				named := `"` + m[1] + `":|(?m)^\.Li ` + m[1] + `( |$)`
				if !regexp.MustCompile(named).MatchString(text) {
					t.Errorf("%s: %s has no %s", file, section, m[1])
				}
			}
		}
		if found < 40 {
			t.Errorf("%s: %d members: the test proves nothing", section, found)
		}
	}
}
