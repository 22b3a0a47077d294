package tests

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the source may not have, whatever it does.

// sources parses every Go file of the module and calls f with its path from the top.
func sources(t *testing.T, f func(path string, file *ast.File, fset *token.FileSet)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, nil,
			parser.ParseComments|parser.SkipObjectResolution)
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

// Three files need the care that unsafe needs: shared memory, the kernel's calls without Go's
// runtime, and one that no package makes.
func TestUnsafeInThreeFiles(t *testing.T) {
	theFiles := []string{"exec/relay.go", "wrapper/ledger/mem_linux.go", "wrapper/peername.go"}
	var found []string
	sources(t, func(path string, file *ast.File, _ *token.FileSet) {
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); name == "unsafe" {
				found = append(found, path)
			}
		}
	})
	slices.Sort(found)
	if !slices.Equal(found, theFiles) {
		t.Errorf("unsafe is imported in %q; want %q alone", found, theFiles)
	}
}

// uses are the places where a file names something of a package, under whatever name the file
// imports it.
func uses(file *ast.File, of string) (found []*ast.SelectorExpr) {
	names := map[string]bool{}
	for _, spec := range file.Imports {
		if imported, _ := strconv.Unquote(spec.Path.Value); imported == of {
			name := path.Base(of)
			if spec.Name != nil {
				name = spec.Name.Name
			}
			names[name] = true
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if pkg, ok := sel.X.(*ast.Ident); ok && names[pkg.Name] {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

// The tests here would not see names that are imported with a dot.
func TestNoDotImport(t *testing.T) {
	sources(t, func(_ string, file *ast.File, fset *token.FileSet) {
		for _, spec := range file.Imports {
			if spec.Name != nil && spec.Name.Name == "." {
				t.Errorf("%v: import with a dot; use the name", fset.Position(spec.Pos()))
			}
		}
	})
}

func TestNoInitAndOneExit(t *testing.T) {
	mains := []string{"main.go", "door.go", "view.go", "courier.go"}
	sources(t, func(path string, file *ast.File, fset *token.FileSet) {
		if strings.HasPrefix(path, "tests/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%v: init(); do it where it is seen", fset.Position(f.Pos()))
			}
		}
		for _, exits := range []string{"os", "syscall", "golang.org/x/sys/unix"} {
			for _, use := range uses(file, exits) {
				if use.Sel.Name == "Exit" && !slices.Contains(mains, path) {
					t.Errorf("%v: %s.Exit; return to main()",
						fset.Position(use.Pos()), exits)
				}
			}
		}
	})
}

// The room tells the time by its clock, which no jump of the wall clock moves.
func TestRoomHasNoWallClock(t *testing.T) {
	looked := 0
	sources(t, func(path string, file *ast.File, fset *token.FileSet) {
		if !strings.HasPrefix(path, "wrapper/room/") || strings.HasSuffix(path, "_test.go") ||
			path == "wrapper/room/clock.go" {
			return
		}
		looked++
		for _, use := range uses(file, "time") {
			if slices.Contains([]string{"Now", "Since", "Until"}, use.Sel.Name) {
				t.Errorf("%v: time.%s; ask the room's clock", fset.Position(use.Pos()),
					use.Sel.Name)
			}
		}
	})
	if looked < 5 {
		t.Errorf("only %d files", looked)
	}
}

// A package of tests alone says in one of them what it is for; any other package in a file that its
// users read.
func TestPackageComments(t *testing.T) {
	type files struct{ ours, tests, documented, documentedInTests int }
	found := map[string]*files{}
	sources(t, func(path string, file *ast.File, _ *token.FileSet) {
		dir := filepath.Dir(path)
		if found[dir] == nil {
			found[dir] = &files{}
		}
		count, documented := &found[dir].ours, &found[dir].documented
		if strings.HasSuffix(path, "_test.go") {
			count, documented = &found[dir].tests, &found[dir].documentedInTests
		}
		*count++
		if file.Doc.Text() != "" {
			*documented++
		}
	})
	for dir, f := range found {
		if f.ours > 0 && f.documented == 0 || f.ours == 0 && f.documentedInTests == 0 {
			t.Errorf("no file in %s says what the package is for", dir)
		}
		if f.ours > 0 && f.documentedInTests > 0 {
			t.Errorf("a test in %s says what the package is for", dir)
		}
	}
}

// Tests say by lab.Need what the machine lacks; CI=true makes that a failure.
func TestSkipsByNeed(t *testing.T) {
	sources(t, func(path string, file *ast.File, fset *token.FileSet) {
		if strings.HasPrefix(path, "tests/lab/") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			if ok && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) {
				t.Errorf("%v: %s; say what is missing by lab.Need", fset.Position(call.Pos()),
					sel.Sel.Name)
			}
			return true
		})
	})
}
