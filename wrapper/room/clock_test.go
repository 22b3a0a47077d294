package room

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Nothing in a room goes by a clock that somebody may set: time.Now is not called, by no name. (The
// machine's clock cannot be set in a test; the ledger's own tests set theirs.)
func TestNoWallClock(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		looked++
		for _, i := range f.Imports {
			if i.Path.Value == `"time"` && i.Name != nil {
				t.Errorf("%s imports time by the name %s", name, i.Name.Name)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := call.X.(*ast.Ident); ok && x.Name == "time" && (call.Sel.Name == "Now" || call.Sel.Name == "Since" || call.Sel.Name == "Until") {
					t.Errorf("%s calls time.%s", name, call.Sel.Name)
				}
			}
			return true
		})
	}
	if looked < 5 {
		t.Errorf("only %d files", looked)
	}
}
