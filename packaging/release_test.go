package packaging

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sendwrap/tests/lab"
)

// published is what `make release` makes, in another directory than packages, later, by somebody
// with other habits. The first test that needs it makes it.
var published = sync.OnceValues(func() (dir string, err error) {
	if dir, err = copyOfSource(); err != nil {
		return "", err
	}
	const habits = "mkdir -p bin; touch bin/sendwrap-linux-mips; umask 077; " +
		"TZ=Asia/Tokyo LC_ALL=tr_TR.UTF-8 exec make release"
	cmd := exec.Command("sh", "-ec", habits)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make release: %w\n%s", err, out)
	}
	return filepath.Join(dir, "bin"), nil
})

func release(t *testing.T) (dir string) {
	t.Helper()
	for _, program := range []string{"make", "git", "dpkg-deb"} {
		lab.NeedProgram(t, program)
	}
	dir, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Whoever gets what is published can check all of it, and finds nothing of an earlier build.
func TestRelease(t *testing.T) {
	t.Parallel()
	dir := release(t)
	must(t, "sh", "-ec", `cd "$1" && sha256sum --quiet --strict -c SHA256SUMS`, "sh", dir)
	var summed, names, programs []string
	for line := range strings.Lines(read(t, filepath.Join(dir, "SHA256SUMS"))) {
		summed = append(summed, strings.Fields(line)[1])
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() && e.Name() != "SHA256SUMS" {
			names = append(names, e.Name())
		}
	}
	for _, program := range []string{"", "-door", "-share", "-view"} {
		for _, arch := range []string{"amd64", "arm64"} {
			programs = append(programs, "sendwrap"+program+"-linux-"+arch)
		}
	}
	slices.Sort(summed)
	slices.Sort(programs)
	// With two packages, the source, and the modules.
	if !slices.Equal(summed, names) || len(names) != len(programs)+4 {
		t.Errorf("published are\n%q\nand SHA256SUMS has\n%q", names, summed)
	}
	for _, name := range programs {
		want := map[string]string{"amd64": "x86-64", "arm64": "AArch64"}[name[len(name)-5:]]
		if got := elfMachine(read(t, filepath.Join(dir, name))); got != want {
			t.Errorf("%s is for %q", name, got)
		}
	}
}

// The packed source has the time of its commit, is the same when it is packed again, elsewhere, and
// builds all programs without a network and without a module of the machine's.
func TestDist(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "make")
	lab.NeedProgram(t, "git")
	dir, err := copyOfSource()
	if err != nil {
		t.Fatal(err)
	}
	must(t, "touch", "-d", "2001-01-01", filepath.Join(dir, "main.go"))
	if err := makeDeb(dir, nil, "dist"); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "bin/sendwrap-*.tar.gz"))
	if err != nil || len(names) != 1 {
		t.Fatalf("make dist makes %q, %v", names, err)
	}
	name := names[0]
	if read(t, name) != read(t, filepath.Join(release(t), filepath.Base(name))) {
		t.Error("two packed sources of the same commit differ")
	}

	elsewhere := t.TempDir()
	must(t, "tar", "-xzf", name, "-C", elsewhere)
	source := filepath.Join(elsewhere, strings.TrimSuffix(filepath.Base(name), ".tar.gz"))
	committed := must(t, "git", "-C", dir, "log", "-1", "--format=%ct")
	for _, script := range []string{
		"test \"$(. packaging/release/version.sh && echo $SOURCE_DATE_EPOCH)\" = " + committed,
		"go list -deps ./... >list",
		"make && for name in '' -door -view -share; do test -x sendwrap$name; done && " +
			"test \"$(./sendwrap version)\"",
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
	dir := release(t)
	var bill struct {
		BOMFormat    string
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	text := read(t, filepath.Join(dir, "sendwrap.cdx.json"))
	if err := json.Unmarshal([]byte(text), &bill); err != nil || bill.BOMFormat != "CycloneDX" {
		t.Fatalf("%v\n%s", err, text)
	}
	if n := len(bill.Dependencies); n != 8 {
		t.Fatalf("%d programs; want 8", n)
	}
	for _, program := range bill.Dependencies {
		name := filepath.Join(dir, program.Ref)
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
		if !slices.Equal(got, want) || len(want) < 2 {
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
