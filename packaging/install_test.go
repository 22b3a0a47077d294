package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// source is a copy of what make install reads, with the programs that make has built, and a Go that
// fails.
type source struct {
	*testing.T
	dir, path string
}

// newSource returns one in which make has been told this prefix.
func newSource(t *testing.T, prefix string) source {
	t.Helper()
	lab.NeedProgram(t, "make")
	s := source{t, t.TempDir(), t.TempDir()}
	copied := []string{"Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
		"LICENSE", "sendwrap.conf.example"}
	for _, pattern := range []string{
		"docs/*", "packaging/*", "go.*", "*.go", "allowlist/*", "exec/*", "wrapper/*.go",
	} {
		names, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			copied = append(copied, strings.TrimPrefix(name, "../"))
		}
	}
	for _, name := range copied {
		s.copy(name)
	}
	write(t, filepath.Join(s.path, "go"), "#!/bin/sh\necho there is no Go >&2\nexit 1\n", 0o755)
	write(t, filepath.Join(s.dir, "sendwrap"), greeter+"# full\n", 0o755)
	write(t, filepath.Join(s.dir, "sendwrap-door"), greeter+"# door\n", 0o755)
	write(t, filepath.Join(s.dir, "sendwrap-view"), greeter+"# view\n", 0o755)
	write(t, filepath.Join(s.dir, "sendwrap-share"), greeter+"# share\n", 0o755)
	s.built(prefix)
	return s
}

func (s source) copy(name string) {
	s.Helper()
	from, to := filepath.Join("..", name), filepath.Join(s.dir, name)
	info, err := os.Stat(from)
	if err != nil {
		s.Fatal(err)
	}
	if info.IsDir() {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			s.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		s.Fatal(err)
	}
	write(s.T, to, read(s.T, from), info.Mode())
}

// built says that the programs were built for this prefix: before they were.
func (s source) built(prefix string) {
	s.Helper()
	name, earlier := filepath.Join(s.dir, "sendwrap.places"), time.Now().Add(-time.Hour)
	write(s.T, name, prefix+"/libexec/sendwrap/sendwrap /var/lib/sendwrap\n", 0o644)
	if err := os.Chtimes(name, earlier, earlier); err != nil {
		s.Fatal(err)
	}
}

func (s source) make(args ...string) (said string, err error) {
	cmd := exec.Command("make", args...)
	cmd.Dir, cmd.Env = s.dir, []string{"PATH=" + s.path + ":" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s source) must(args ...string) (said string) {
	s.Helper()
	said, err := s.make(args...)
	if err != nil {
		s.Fatalf("make %q: %v\n%s", args, err, said)
	}
	return said
}

// make install copies every file, keeps executables executable, and does not overwrite an existing
// sendwrap.conf. It needs no Go if the program is built, and builds it if it is older than its
// sources.
func TestInstall(t *testing.T) {
	t.Parallel()
	s := newSource(t, "/usr/local")
	const doc = "usr/local/share/doc/sendwrap/"
	want := map[string]fs.FileMode{
		"usr/local/sbin/sendwrap": 0o755, "usr/local/sbin/sendwrap-nft": 0o755,
		"usr/local/libexec/sendwrap/sendwrap":      0o755,
		"usr/local/libexec/sendwrap/sendwrap-view": 0o755,

		"usr/local/libexec/sendwrap/sendwrap-share": 0o755,
		"usr/local/share/man/man8/sendwrap.8":       0o644,
		"usr/local/share/man/man5/sendwrap.conf.5":  0o644,
		"etc/sendwrap.conf":                         0o644,

		"usr/local/share/bash-completion/completions/sendwrap": 0o644,
		"usr/local/share/zsh/site-functions/_sendwrap":         0o644,

		doc + "packaging/sendwrap-nft":  0o755,
		doc + "packaging/tcpserver.run": 0o755, doc + "packaging/listen.run": 0o755,
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md",
		"LICENSE", "sendwrap.conf.example", "docs/OPERATIONS.md", "docs/HACKING.md",
		"docs/DESIGN.md", "docs/BENCHMARKS.md", "docs/FROM-SENDMAIL.md", "docs/ATTACKS.md",
		"docs/HONEST-CLIENTS.md", "docs/RELEASING.md", "docs/report.png"} {
		want[doc+name] = 0o644
	}
	files(t, ".", func(name string, _ fs.FileInfo) {
		_, named := want[doc+"packaging/"+name]
		dir, _, _ := strings.Cut(name, "/")
		if !named && !strings.HasSuffix(name, ".go") && dir != "deb" && dir != "release" {
			want[doc+"packaging/"+name] = 0o644
		}
	})

	for _, destdir := range []string{filepath.Join(s.dir, "absolute"), "relative"} {
		s.must("install", "DESTDIR="+destdir)
		root := destdir
		if !filepath.IsAbs(root) {
			root = filepath.Join(s.dir, root)
		}
		got := map[string]fs.FileMode{}
		files(t, root, func(name string, info fs.FileInfo) { got[name] = info.Mode() })
		for name, mode := range want {
			if got[name] != mode {
				t.Errorf("%s: mode %v; want %v", name, got[name], mode)
			}
			from, found := strings.CutPrefix(name, doc)
			if found && got[name] != 0 &&
				read(t, filepath.Join(root, name)) != read(t, "../"+from) {
				t.Errorf("%s differs from %s", name, from)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("also installed: %v", got)
		}
		for name, program := range map[string]string{
			"sbin/sendwrap": "door", "libexec/sendwrap/sendwrap": "full",
			"libexec/sendwrap/sendwrap-view": "view",
		} {
			name = filepath.Join(root, "usr/local", name)
			if !strings.HasSuffix(read(t, name), "# "+program+"\n") {
				t.Errorf("%s is not the %s program", name, program)
			}
		}
		state, err := os.Stat(filepath.Join(root, "var/lib/sendwrap"))
		if err != nil || state.Mode() != fs.ModeDir|0o700 {
			t.Errorf("the ledger's directory: %v, %v; want mode 0700", state, err)
		}
		conf := filepath.Join(root, "etc/sendwrap.conf")
		write(t, conf, "mode observe\n", 0o644)
		inState := func(name string) string { return filepath.Join(root, "var/lib/sendwrap", name) }
		policies := []string{inState("policy"), inState("policy-0123456789abcdef")}
		for _, name := range append(policies, inState("ledger")) {
			write(t, name, "of the older program\n", 0o600)
		}
		const shared = fs.ModeDir | fs.ModeSetgid | 0o750 // for a group that may read the ledger
		if err := os.Chmod(inState(""), shared); err != nil {
			t.Fatal(err)
		}
		s.must("install", "DESTDIR="+destdir)
		if state, err = os.Stat(inState("")); err != nil || state.Mode() != shared {
			t.Errorf("the ledger's directory had mode %v, and has %v, %v", shared, state, err)
		}
		for _, name := range policies {
			if _, err := os.Lstat(name); err == nil {
				t.Errorf("%s still says what the older program has made of the text", name)
			}
		}
		read(t, inState("ledger"))
		if read(t, conf) != "mode observe\n" {
			t.Error("make install has overwritten sendwrap.conf")
		}
	}

	said, err := s.make("install", "DESTDIR=elsewhere", "prefix=/usr")
	if err == nil || !strings.Contains(said, "there is no Go") {
		t.Errorf("with programs that are built for another prefix: %v\n%s\nwant new ones", err,
			said)
	}
	s.built("/usr/local")
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(s.dir, "main.go"), later, later); err != nil {
		t.Fatal(err)
	}
	said, err = s.make("install", "DESTDIR=later")
	if err == nil || !strings.Contains(said, "there is no Go") {
		t.Errorf("with a program that is older than its source: %v\n%s\nwant it to be built", err,
			said)
	}
}

// With another prefix every text names the program where it is. make uninstall removes the files of
// make install, and says what it leaves; files that others have put beside them stay.
func TestInstallElsewhere(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/usr", "/opt/mail", "/usr/local"} {
		s := newSource(t, prefix)
		root := filepath.Join(s.dir, "root")
		args := []string{"DESTDIR=" + root, "prefix=" + prefix}
		const hint = "sendwrap reads /etc/sendwrap.conf, unless you write -f "
		said := s.must(append(args, "install", "sysconfdir=/srv/etc")...)
		if want := hint + "/srv/etc/sendwrap.conf\n"; !strings.HasSuffix(said, want) {
			t.Errorf("make install says %q; want %q at the end", said, want)
		}
		if err := os.RemoveAll(filepath.Join(root, "srv")); err != nil {
			t.Fatal(err)
		}
		if said = s.must(append(args, "install")...); strings.Contains(said, hint) {
			t.Errorf("make install says %q", said)
		}
		named := 0
		files(t, root, func(name string, _ fs.FileInfo) {
			text := read(t, filepath.Join(root, name))
			named += strings.Count(text, prefix+"/sbin/sendwrap")
			for _, left := range []string{"/usr/local/sbin/sendwrap",
				"/usr/local/libexec/sendwrap", "/usr/local/share/doc/sendwrap"} {
				if prefix != "/usr/local" && strings.Contains(text, left) {
					t.Errorf("prefix %s: %s has %s", prefix, name, left)
				}
			}
		})
		if named < 20 { // units, super-servers' lines, man pages, README
			t.Errorf("prefix %s: the program is named %d times", prefix, named)
		}

		others := filepath.Join(root, prefix, "share/doc/sendwrap/packaging/notes")
		write(t, others, "", 0o644)
		policies := filepath.Join(root, "var/lib/sendwrap/policy")
		write(t, policies, "", 0o600)
		write(t, policies+"-0123456789abcdef", "", 0o600)
		said = s.must(append(args, "uninstall")...)
		want := "not removed: /etc/sendwrap.conf, and /var/lib/sendwrap with the ledger\n"
		if !strings.HasSuffix(said, want) {
			t.Errorf("make uninstall says %q; want %q at the end", said, want)
		}
		var left []string
		files(t, root, func(name string, _ fs.FileInfo) { left = append(left, "/"+name) })
		slices.Sort(left)
		stays := []string{"/etc/sendwrap.conf", strings.TrimPrefix(others, root)}
		if !slices.Equal(left, stays) {
			t.Errorf("make uninstall leaves %q; want %q", left, stays)
		}
		if err := os.Remove(others); err != nil {
			t.Fatal(err)
		}
		s.must(append(args, "uninstall")...)
		for _, name := range []string{"share/doc/sendwrap", "libexec/sendwrap"} {
			if _, err := os.Stat(filepath.Join(root, prefix, name)); !os.IsNotExist(err) {
				t.Errorf("the directory %s: %v; want none", name, err)
			}
		}
		if info, err := os.Stat(filepath.Join(root, "var/lib/sendwrap")); err != nil ||
			!info.IsDir() {
			t.Errorf("the ledger's directory: %v; want it to stay", err)
		}
	}
}

// files calls do for each file under a directory.
func files(t *testing.T, dir string, do func(name string, info fs.FileInfo)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			do(name, info)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
