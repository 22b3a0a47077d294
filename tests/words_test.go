package tests

import (
	"bytes"
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// retired are words that no identifier may contain, with the word to use instead. The glossary in
// docs/HACKING.md says why: one word for one thing, and no metaphors.
var retired = map[string]string{
	"anew":      "again",
	"bar":       "refuse",
	"barred":    "refused, blocked",
	"barring":   "refusing, blocking",
	"begun":     "since, started",
	"census":    "livenessCache",
	"clerk":     "the lock's or the goroutine's purpose",
	"deed":      "outcome, effect",
	"deeds":     "outcome",
	"depart":    "end, close",
	"dismiss":   "close, refuseBusy",
	"dismissed": "closed, refused",
	"earned":    "what the session is recorded for",
	"furnish":   "setUp, apply",
	"handed":    "transferred",
	"hang":      "link",
	"heed":      "handle",
	"heir":      "successor",
	"let go":    "close, release",
	"owe":       "unwritten",
	"owed":      "unwritten",
	"owes":      "unwritten",
	"owing":     "unwritten",
	"seldom":    "limiter",
	"sentence":  "block",
	"sought":    "searched, lastSearch",
	"sound":     "valid",
	"spare":     "exempt, reserve",
	"spared":    "exempt",
	"stirred":   "onEvent",
	"stood":     "the state's name",
	"tend":      "check, maintain",
	"told":      "logged, notified, warnings",
	"unhang":    "unlink",
}

// meaningless are whole identifiers that name nothing: a boolean is ok, found or blocked.
var meaningless = []string{"had", "is", "there", "was"}

func TestRetiredWords(t *testing.T) {
	sources(t, func(path string, file *ast.File, fset *token.FileSet) {
		seen := map[string]bool{}
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok || seen[id.Name] {
				return true
			}
			seen[id.Name] = true
			words := " " + wordsOf(id.Name) + " "
			for word, instead := range retired {
				if strings.Contains(words, " "+word+" ") {
					t.Errorf("%s:%d: %s: %q is retired; use %s", path,
						fset.Position(id.Pos()).Line, id.Name, word, instead)
				}
			}
			if slices.Contains(meaningless, id.Name) {
				t.Errorf("%s:%d: %q names nothing; say ok, found, blocked …", path,
					fset.Position(id.Pos()).Line, id.Name)
			}
			return true
		})
	})
}

var (
	afterLower = regexp.MustCompile(`([a-z])([A-Z0-9_])`)
	lastUpper  = regexp.MustCompile(`([A-Z])([A-Z][a-z])`)
	noLetter   = regexp.MustCompile(`[0-9_ ]+`)
)

// wordsOf splits an identifier: toldNFTOnce is "told nft once". To hang up is one word.
func wordsOf(name string) string {
	name = afterLower.ReplaceAllString(name, "$1 $2")
	name = lastUpper.ReplaceAllString(name, "$1 $2")
	name = strings.ToLower(strings.TrimSpace(noLetter.ReplaceAllString(name, " ")))
	return strings.ReplaceAll(name, "hang up", "hangup")
}

func TestWordsOf(t *testing.T) {
	for name, want := range map[string]string{
		"told": "told", "toldAt": "told at", "NFTOnce": "nft once", "toldNFTOnce": "told nft once",
		"mostTold": "most told", "IPv4": "i pv", "let_go": "let go", "TestBarAll": "test bar all",
		"spared4": "spared", "TestHangUpIs": "test hangup is", "URL": "url", "": "",
	} {
		if got := wordsOf(name); got != want {
			t.Errorf("wordsOf(%q) is %q; want %q", name, got, want)
		}
	}
}

// unwanted are phrases that no administrator would say.
var unwanted = []string{
	"anew", "as ever", "for want of", "is told", "lest", "without a word",
}

func TestUnwantedPhrases(t *testing.T) {
	// A phrase may be wrapped: between its words is a line's end, and the mark of a comment.
	phrases := strings.ReplaceAll(strings.Join(unwanted, "|"), " ", `[\s/#]+`)
	unwanted := regexp.MustCompile(`(?i)\b(?:` + phrases + `)\b`)
	texts(t, func(path string, text []byte) {
		if path == "tests/words_test.go" {
			return
		}
		for _, at := range unwanted.FindAllIndex(text, -1) {
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			t.Errorf("%s:%d: %q: say it in plain words", path, line, text[at[0]:at[1]])
		}
	})
}

const columns = 100

// TestColumns: no line is longer than 100 columns, with a tab as four; in man pages than 80 bytes,
// as mandoc wants it.
func TestColumns(t *testing.T) {
	var lines int
	texts(t, func(path string, text []byte) {
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimSuffix(line, "\n")
			lines++
			width, most := widthOf(line), columns
			if isManPage(path) {
				width, most = len(line), 80
			}
			if width > most && !mayBeLong(path, line) {
				t.Errorf("%s:%d: %d columns; want %d: %s", path, n, width, most, line)
			}
		}
	})
	if lines < 10000 {
		t.Errorf("%d lines were looked at: the test proves nothing", lines)
	}
}

func widthOf(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

func isManPage(path string) bool {
	return filepath.Dir(path) == "docs" && filepath.Ext(path) != ".md"
}

// mayBeLong says which lines cannot be broken: an address, a row of a table or a heading in
// Markdown, a macro or a message in a man page, a command in a script (one line for testscript).
func mayBeLong(path, line string) bool {
	switch trimmed := strings.TrimSpace(line); {
	case strings.Contains(line, "://"):
		return true
	case isManPage(path):
		return line[0] == '.' || strings.HasPrefix(line, "/etc/")
	case filepath.Ext(path) == ".md":
		return trimmed[0] == '|' || trimmed[0] == '#'
	case filepath.Ext(path) == ".txtar":
		return trimmed[0] != '#'
	case filepath.Ext(path) == ".json":
		return true // a text in JSON cannot be broken
	}
	return false
}

// texts calls f with each text of ours and its path from the top, without generated and foreign
// texts and the inputs of tests.
func texts(t *testing.T, f func(path string, text []byte)) {
	t.Helper()
	none := []string{
		"LICENSE", "go.sum", "packaging/deb/nfpm.sum", "docs/BENCHMARKS.md", ".git", "bin",
	}
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		path = strings.TrimPrefix(path, "../")
		if slices.Contains(none, path) || e.Name() == "testdata" {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if e.IsDir() || !e.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte{0}) { // a program that make has built
			f(path, text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
