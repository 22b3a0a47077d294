package packaging

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// make install copies every file, keeps executables executable, and does not overwrite an existing
// sendwrap.conf.
func TestInstall(t *testing.T) {
	t.Parallel()
	mk := lab.NeedProgram(t, "make")
	dir := t.TempDir()
	for _, name := range []string{"docs", "packaging"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join("..", name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"Makefile", "sendwrap.conf.example"} {
		write(t, filepath.Join(dir, name), read(t, "../"+name), 0o644)
	}
	write(t, filepath.Join(dir, "sendwrap"), greeter, 0o755) // as if built
	install := func(destdir string) {
		t.Helper()
		cmd := exec.Command(mk, "-o", "all", "install", "DESTDIR="+destdir)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make install: %v\n%s", err, out)
		}
	}
	const doc = "usr/local/share/doc/sendwrap/"
	want := map[string]fs.FileMode{
		"usr/local/sbin/sendwrap": 0o755, "usr/local/sbin/sendwrap-nft": 0o755,
		"usr/local/share/man/man8/sendwrap.8": 0o644, "usr/local/share/man/man5/sendwrap.conf.5": 0o644,
		"etc/sendwrap.conf": 0o644, doc + "sendwrap.conf.example": 0o644,
		doc + "packaging/sendwrap-nft": 0o755, doc + "packaging/tcpserver.run": 0o755,
		doc + "packaging/listen.run": 0o755,
	}
	files(t, ".", func(name string, _ fs.FileInfo) {
		if _, named := want[doc+"packaging/"+name]; !named && !strings.HasSuffix(name, ".go") {
			want[doc+"packaging/"+name] = 0o644
		}
	})

	for _, destdir := range []string{filepath.Join(dir, "absolute"), "relative"} {
		install(destdir)
		root := destdir
		if !filepath.IsAbs(root) {
			root = filepath.Join(dir, root)
		}
		got := map[string]fs.FileMode{}
		files(t, root, func(name string, info fs.FileInfo) { got[name] = info.Mode() })
		for name, mode := range want {
			if got[name] != mode {
				t.Errorf("%s: mode %v; want %v", name, got[name], mode)
			}
			from, packaged := strings.CutPrefix(name, doc+"packaging/")
			if packaged && got[name] != 0 && read(t, filepath.Join(root, name)) != read(t, from) {
				t.Errorf("%s differs from %s", name, from)
			}
			delete(got, name)
		}
		if len(got) > 0 {
			t.Errorf("also installed: %v", got)
		}
		state, err := os.Stat(filepath.Join(root, "var/lib/sendwrap"))
		if err != nil || state.Mode() != fs.ModeDir|0o700 {
			t.Errorf("the ledger's directory: %v, %v; want mode 0700", state, err)
		}
		conf := filepath.Join(root, "etc/sendwrap.conf")
		write(t, conf, "mode observe\n", 0o644)
		install(destdir)
		if read(t, conf) != "mode observe\n" {
			t.Error("make install has overwritten sendwrap.conf")
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
