package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// The packed source has the time of its commit, is the same when it is packed again, and builds
// without a network and without a module of the machine's.
func TestDist(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "make")
	lab.NeedProgram(t, "git")
	dir, err := copyOfSource()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err != nil { // the source came without it
		must(t, "sh", "-ec", `cd "$1" && git init -q && git add -A && git -c user.name=t \
			-c user.email=t@example.org commit -q -m all`, "sh", dir)
	}
	pack := func() (name, text string) {
		t.Helper()
		if err := makeDeb(dir, nil, "dist"); err != nil {
			t.Fatal(err)
		}
		names, err := filepath.Glob(filepath.Join(dir, "bin/sendwrap-*.tar.gz"))
		if err != nil || len(names) != 1 {
			t.Fatalf("make dist makes %q, %v", names, err)
		}
		return names[0], read(t, names[0])
	}
	name, first := pack()
	must(t, "touch", "-d", "2001-01-01", filepath.Join(dir, "main.go"))
	if _, second := pack(); first != second {
		t.Error("two packed sources of the same commit differ")
	}

	elsewhere := t.TempDir()
	must(t, "tar", "-xzf", name, "-C", elsewhere)
	source := filepath.Join(elsewhere, strings.TrimSuffix(filepath.Base(name), ".tar.gz"))
	committed := must(t, "git", "-C", dir, "log", "-1", "--format=%ct")
	for _, script := range []string{
		"test \"$(. packaging/release/version.sh && echo $SOURCE_DATE_EPOCH)\" = " + committed,
		"go list -deps ./... >list && go build -o door -tags=door . && test -x door",
	} {
		cmd := exec.Command("sh", "-ec", script)
		cmd.Dir = source
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOMODCACHE="+t.TempDir())
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
}

// The bill of materials has each program with its checksum, and the modules that go finds in it.
func TestSBOM(t *testing.T) {
	t.Parallel()
	full := lab.Full(lab.Dir())
	var bill struct {
		BOMFormat    string
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	text := must(t, "go", "run", "../tests/sbom", full, full+"-view")
	if err := json.Unmarshal([]byte(text), &bill); err != nil || bill.BOMFormat != "CycloneDX" {
		t.Fatalf("%v\n%s", err, text)
	}
	if n := len(bill.Dependencies); n != 2 {
		t.Fatalf("%d programs; want 2", n)
	}
	for _, program := range bill.Dependencies {
		name := filepath.Join(filepath.Dir(full), program.Ref)
		sum := sha256.Sum256([]byte(read(t, name)))
		var want []string
		for line := range strings.Lines(must(t, "go", "version", "-m", name)) {
			if f := strings.Fields(line); f[0] == "dep" {
				want = append(want, "pkg:golang/"+f[1]+"@"+f[2])
			}
		}
		got := slices.DeleteFunc(program.DependsOn, func(ref string) bool {
			return strings.HasPrefix(ref, "pkg:golang/std@")
		})
		if !slices.Equal(got, want) || len(want) < 3 {
			t.Errorf("%s has %q; want %q", name, got, want)
		}
		if !strings.Contains(text, hex.EncodeToString(sum[:])) {
			t.Errorf("the checksum of %s is missing", name)
		}
		for _, ref := range want {
			if strings.Count(text, `"purl": "`+ref+`"`) != 1 {
				t.Errorf("%s is not there once", ref)
			}
		}
	}
}
