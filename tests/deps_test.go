package tests

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sendwrap"

// mayImport is the layout: which of our packages each of our packages may import. Imports run down only.
var mayImport = map[string][]string{
	"allowlist":         {},
	"exec":              {},
	"wrapper/ledger":    {},
	"wrapper/maillog":   {},
	"wrapper/config":    {"allowlist"},
	"wrapper":           {"allowlist", "wrapper/config", "wrapper/ledger", "wrapper/maillog"},
	"wrapper/enforce":   {"allowlist", "exec", "wrapper/config", "wrapper/ledger", "wrapper/maillog"},
	"wrapper/admin/try": {"allowlist", "wrapper", "wrapper/config", "wrapper/ledger", "wrapper/maillog"},
	"wrapper/room":      {"allowlist", "exec", "wrapper", "wrapper/config", "wrapper/enforce", "wrapper/ledger", "wrapper/maillog"},
	"wrapper/guard":     {"allowlist", "exec", "wrapper", "wrapper/config", "wrapper/enforce", "wrapper/ledger", "wrapper/maillog"},
	"wrapper/admin":     {"allowlist", "wrapper", "wrapper/admin/try", "wrapper/config", "wrapper/enforce", "wrapper/ledger", "wrapper/maillog"},
	"": {"allowlist", "exec", "wrapper", "wrapper/admin", "wrapper/config", "wrapper/enforce", "wrapper/guard", "wrapper/ledger", "wrapper/maillog",
		"wrapper/room"},
	"packaging":   {},
	"tests":       {},
	"tests/lab":   {},
	"tests/room":  {},
	"tests/guard": {},
	"tests/bench": {"allowlist", "wrapper/config", "wrapper/ledger", "wrapper/maillog"},
}

// onlyIn names the packages that may import something of others; nil is all.
var onlyIn = map[string][]string{
	"golang.org/x/sys":                   nil,
	"github.com/yl2chen/cidranger":       {"allowlist"},
	"github.com/hashicorp/go-multierror": {"wrapper/config", "wrapper/admin"},
	"github.com/rogpeppe/go-internal":    {"tests"},
	"github.com/emersion/go-milter":      {"wrapper/guard", "wrapper/admin/try", "tests", "tests/guard", "tests/bench"},
}

// perConnection are the packages that every connection's process starts with, and tooHeavy what has no place in them: attack
// surface and memory for each of a thousand clients that wait.
var (
	perConnection = []string{"allowlist", "exec", "wrapper", "wrapper/config", "wrapper/enforce", "wrapper/ledger", "wrapper/maillog"}
	tooHeavy      = []string{"regexp", "log", "log/slog", "os/exec", "os/signal", "text/template", "net/http", "crypto/tls", "encoding/json"}
)

// aPackage is what `go list -json` says of one.
type aPackage struct {
	ImportPath string
	Name       string
	Dir        string
	Imports    []string
}

// short is the import path below the module's; "" is main.go's.
func (p aPackage) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

func ourPackages(t *testing.T) []aPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Imports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	var list []aPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p aPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	if len(list) < 2 {
		t.Fatalf("go list names %d packages", len(list))
	}
	return list
}

func TestImportsRunDown(t *testing.T) {
	for _, p := range ourPackages(t) {
		allowed, ok := mayImport[p.short()]
		if !ok {
			t.Errorf("package %s has no place in the layout; give it one in mayImport", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			if name := strings.TrimPrefix(path, module+"/"); !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}

func TestImportsOfOthers(t *testing.T) {
	for _, p := range ourPackages(t) {
		for _, path := range p.Imports {
			if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
				continue // the standard library's
			}
			named := false
			for other, users := range onlyIn {
				if path == other || strings.HasPrefix(path, other+"/") {
					named = true
					if users != nil && !slices.Contains(users, p.short()) {
						t.Errorf("%s imports %s, which is for %q", p.ImportPath, path, users)
					}
				}
			}
			if !named {
				t.Errorf("%s imports %s, a dependency that nobody has given a reason for", p.ImportPath, path)
			}
		}
	}
}

func TestPerConnectionPackagesAreLight(t *testing.T) {
	for _, p := range ourPackages(t) {
		if !slices.Contains(perConnection, p.short()) {
			continue
		}
		for _, path := range p.Imports {
			if slices.Contains(tooHeavy, path) {
				t.Errorf("%s imports %s", p.ImportPath, path)
			}
		}
	}
}

// sources parses every Go file of the module and calls f with its path from the top.
func sources(t *testing.T, f func(path string, file *ast.File, fset *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		f(strings.TrimPrefix(path, "../"), file, fset)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// One file is to be read with the care that unsafe needs.
func TestUnsafeInOneFile(t *testing.T) {
	const theFile = "wrapper/ledger/mem_linux.go"
	var found []string
	sources(t, func(path string, file *ast.File, _ *token.FileSet) {
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); name == "unsafe" {
				found = append(found, path)
			}
		}
	})
	if !slices.Equal(found, []string{theFile}) {
		t.Errorf("unsafe is imported in %q; want %s alone", found, theFile)
	}
}

func TestNoInitAndOneExit(t *testing.T) {
	sources(t, func(path string, file *ast.File, fset *token.FileSet) {
		if strings.HasPrefix(path, "tests/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil && n.Name.Name == "init" {
					t.Errorf("%v: init(); do it where it is seen", fset.Position(n.Pos()))
				}
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "os" && n.Sel.Name == "Exit" && path != "main.go" {
					t.Errorf("%v: os.Exit; return to main.go", fset.Position(n.Pos()))
				}
			}
			return true
		})
	})
}

func TestPackageComments(t *testing.T) {
	documented := map[string]bool{}
	sources(t, func(path string, file *ast.File, _ *token.FileSet) {
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || file.Doc.Text() != ""
	})
	for dir, ok := range documented {
		if !ok {
			t.Errorf("no file in %s says what the package is for", dir)
		}
	}
}
