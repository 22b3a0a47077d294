package fileaccess

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sendwrap/tests/lab"
)

// CheckPath names the step of a path by which others could change the file.
func TestCheckPath(t *testing.T) {
	lab.NeedRoot(t)
	top := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(top, name) }
	mkdir := func(name string, mode os.FileMode) {
		t.Helper()
		must(errors.Join(os.Mkdir(in(name), 0o755), os.Chmod(in(name), mode)))
	}
	program := func(name string, mode os.FileMode) {
		t.Helper()
		must(errors.Join(os.WriteFile(in(name), nil, 0o755), os.Chmod(in(name), mode)))
	}
	link := func(to, name string) {
		t.Helper()
		must(os.Symlink(to, in(name)))
	}
	mkdir("good", 0o755)
	program("good/hook", 0o755)
	program("good/open", 0o775)
	mkdir("others", 0o777)
	mkdir("others/good", 0o755)
	program("others/good/hook", 0o755)
	mkdir("group", 0o775)
	program("group/hook", 0o755)
	mkdir("sticky", os.ModeSticky|0o777)
	program("sticky/hook", 0o755)
	program("sticky/theirs", 0o755)
	link("../good/hook", "sticky/link")
	mkdir("theirs", 0o755)
	program("theirs/hook", 0o755)
	link("../good/hook", "others/link")
	link("others/link", "by-link")
	link("good", "dir")
	link(in("dir"), "dir2")
	link("loop", "loop")
	link("others/good", "sub")
	must(os.Chown(in("sticky/theirs"), 4242, 4242))
	must(os.Lchown(in("sticky/link"), 4242, 4242))
	must(os.Chown(in("theirs"), 4242, 4242))

	const uid = ": belongs to uid 4242; chown it to root"
	replace := func(step, mode string) string {
		return in(step) + ": mode " + mode + " lets others replace what is in it; chmod go-w it"
	}
	for path, want := range map[string]string{
		in("good/hook"):        "",
		in("dir2/hook"):        "",
		in("dir/../dir/hook"):  "",
		in("sticky/hook"):      "",
		"/":                    "",
		in("good/open"):        in("good/open") + ": mode 0775 lets others write it; chmod go-w it",
		in("others/good/hook"): replace("others", "0777"),
		in("group/hook"):       replace("group", "0775"),
		in("by-link"):          replace("others", "0777"),
		in("sticky/theirs"):    in("sticky/theirs") + uid,
		in("sticky/link"):      in("sticky/link") + uid,
		in("theirs/hook"):      in("theirs") + uid,
		// The kernel leaves a link's directory by "..", not the one in which the link is.
		top + "/sub/../good/hook": replace("others", "0777"),
		in("missing"):             "stat " + in("missing") + ": no such file or directory",
		in("loop"):                "stat " + in("loop") + ": too many levels of symbolic links",
	} {
		got := ""
		if err := CheckPath(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
	t.Chdir(in("others/good"))
	if err := CheckPath("hook"); err == nil || err.Error() != replace("others", "0777") {
		t.Errorf("relative: %v", err)
	}
	t.Chdir(in("good"))
	if err := CheckPath("hook"); err != nil {
		t.Errorf("relative: %v", err)
	}
}
