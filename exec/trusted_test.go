package exec

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// By which step of its path others could have us run something else.
func TestTrusted(t *testing.T) {
	lab.NeedRoot(t)
	top := t.TempDir()
	in := func(name string) string { return filepath.Join(top, name) }
	mkdir := func(name string, mode os.FileMode) {
		t.Helper()
		must(os.Mkdir(in(name), 0o755))
		must(os.Chmod(in(name), mode))
	}
	program := func(name string, mode os.FileMode) {
		t.Helper()
		must(os.WriteFile(in(name), []byte("#!/bin/sh\n"), 0o755))
		must(os.Chmod(in(name), mode))
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

	const uid = ": belongs to uid 4242, who could have us run anything; chown it to root"
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
		in("missing"):             "exec " + in("missing") + ": no such file or directory",
		in("loop"):                "exec " + in("loop") + ": too many levels of symbolic links",
	} {
		got := ""
		if err := Trusted(path); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
	}
	t.Chdir(in("others/good"))
	if err := Trusted("hook"); err == nil || err.Error() != replace("others", "0777") {
		t.Errorf("relative: %v", err)
	}
	t.Chdir(in("good"))
	if err := Trusted("hook"); err != nil {
		t.Errorf("relative: %v", err)
	}

	// A hook is not run by such a path.
	mark := in("ran")
	must(os.WriteFile(in("others/good/hook"), []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755))
	err := hooks(t).Run([]string{in("others/good/hook")}, nil, time.Minute)
	if err == nil || err.Error() != replace("others", "0777") {
		t.Errorf("Run: %v", err)
	}
	if err := unix.Access(mark, unix.F_OK); err != unix.ENOENT {
		t.Errorf("it ran nevertheless: %v", err)
	}
}
