package packaging

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"sendwrap/tests/lab"
)

// packages are this commit's, for both machines, and one of an older version, which has another
// example of sendwrap.conf. The first test that needs them makes them.
var packages = sync.OnceValues(func() (dir string, err error) {
	if dir, err = copyOfSource(); err == nil {
		err = makeDeb(dir, nil, "deb", "arches=amd64 arm64")
	}
	if err == nil {
		err = appendTo(filepath.Join(dir, "sendwrap.conf.example"), "# Of an older version.\n")
	}
	if err == nil {
		err = makeDeb(dir, []string{"VERSION=" + older}, "deb", "arches="+runtime.GOARCH)
	}
	return filepath.Join(dir, "bin"), err
})

const older = "0.8.9"

// copyOfSource copies the source with its repository to a directory of its own, as a clone would.
func copyOfSource() (dir string, err error) {
	if dir, err = os.MkdirTemp(lab.Dir(), "source"); err != nil {
		return "", err
	}
	const copyAll = `tar -C .. --exclude=./bin --exclude='*.test' -cf - . |
		tar --no-same-owner -xf - -C "$1"`
	out, err := exec.Command("sh", "-c", copyAll, "sh", dir).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("copy the source: %w: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
		return dir, nil
	}
	// The source came without it. Each copy is the same commit.
	const commit = `cd "$1" && git init -q && git add -A && git -c user.name=t \
		-c user.email=t@example.org commit -q -m all`
	cmd := exec.Command("sh", "-ec", commit, "sh", dir)
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_DATE=2001-01-01T00:00:00Z",
		"GIT_COMMITTER_DATE=2001-01-01T00:00:00Z")
	if out, err = cmd.CombinedOutput(); err != nil {
		err = fmt.Errorf("commit the source: %w: %s", err, out)
	}
	return dir, err
}

func makeDeb(dir string, env []string, args ...string) error {
	cmd := exec.Command("make", args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v %v: %w\n%s", env, cmd, err, out)
	}
	return err
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		defer f.Close()
		_, err = f.WriteString(text)
	}
	return err
}

// deb is the package of this commit for an architecture.
func deb(t *testing.T, arch string) (name string) {
	t.Helper()
	lab.NeedProgram(t, "make")
	lab.NeedProgram(t, "git")
	lab.NeedProgram(t, "dpkg-deb")
	dir, err := packages()
	if err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "sendwrap_*_"+arch+".deb"))
	names = slices.DeleteFunc(names, func(name string) bool { return name == olderDeb(dir) })
	if err != nil || len(names) != 1 {
		t.Fatalf("packages for %s: %q, %v; want one", arch, names, err)
	}
	return names[0]
}

func olderDeb(dir string) string {
	return filepath.Join(dir, "sendwrap_"+older+"-1_"+runtime.GOARCH+".deb")
}

// The packages are the same, byte for byte, if they are made in another directory, later, by
// somebody with other habits.
func TestDebTwice(t *testing.T) {
	t.Parallel()
	for _, arch := range []string{"amd64", "arm64"} {
		first := deb(t, arch)
		second := filepath.Join(release(t), filepath.Base(first))
		if read(t, first) != read(t, second) {
			out, _ := exec.Command("sh", "-c", `for deb; do dpkg-deb -c "$deb" >"$deb.list"; done
				diff "$1.list" "$2.list"`, "sh", first, second).CombinedOutput()
			t.Errorf("two packages of the same commit differ:\n%s", out)
		}
	}
}

// lintian finds nothing but what deb/overrides gives the reason for.
func TestDebLintian(t *testing.T) {
	t.Parallel()
	lab.NeedProgram(t, "lintian")
	out, err := exec.Command("lintian", "--fail-on", "error,warning", "--pedantic",
		deb(t, runtime.GOARCH)).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Both packages have the same files, programs for their own machine, and no path of make install.
// What an administrator edits is a conffile, and nothing of it starts anything.
func TestDebContents(t *testing.T) {
	t.Parallel()
	var lists []string
	for arch, machine := range map[string]string{"amd64": "x86-64", "arm64": "AArch64"} {
		root := t.TempDir()
		must(t, "dpkg-deb", "-R", deb(t, arch), root)
		var list []string
		files(t, root, func(name string, _ os.FileInfo) {
			list = append(list, name)
			text := read(t, filepath.Join(root, name))
			if strings.HasPrefix(text, "\x7fELF") {
				if got := elfMachine(text); got != machine {
					t.Errorf("%s: %s is for %s", arch, name, got)
				}
			} else if strings.Contains(text, "/usr/local/sbin/sendwrap") {
				t.Errorf("%s: %s has a path of make install", arch, name)
			}
		})
		slices.Sort(list)
		lists = append(lists, strings.Join(list, "\n"))

		for name := range strings.Lines(read(t, filepath.Join(root, "DEBIAN/conffiles"))) {
			name = strings.TrimSpace(name)
			list = slices.DeleteFunc(list, func(has string) bool { return "/"+has == name })
		}
		for _, name := range list {
			if strings.HasPrefix(name, "etc/") {
				t.Errorf("%s: /%s is no conffile", arch, name)
			}
		}
		for _, name := range []string{"sendwrap", "sendwrap-room"} {
			service := read(t, filepath.Join(root, "etc/xinetd.d", name))
			replace(t, service, "\tdisable\t\t= yes\n", "")
		}
	}
	if lists[0] != lists[1] {
		t.Errorf("amd64 and arm64 differ:\n%s\n\n%s", lists[0], lists[1])
	}
	for _, want := range []string{
		"usr/sbin/sendwrap", "usr/sbin/sendwrap-nft", "usr/libexec/sendwrap/sendwrap",
		"usr/libexec/sendwrap/sendwrap-view", "usr/libexec/sendwrap/sendwrap-share",
		"usr/lib/systemd/system/sendwrap.socket", "usr/lib/systemd/system/sendwrap@.service",
		"usr/lib/tmpfiles.d/sendwrap.conf", "usr/share/sendwrap/nftables.conf",
		"usr/share/bash-completion/completions/sendwrap",
		"usr/share/zsh/vendor-completions/_sendwrap", "usr/share/man/man8/sendwrap.8.gz",
		"usr/share/doc/sendwrap/docs/OPERATIONS.md", "usr/share/doc/sendwrap/changelog.gz",
		"etc/sendwrap.conf", "etc/logcheck/ignore.d.server/sendwrap", "etc/logrotate.d/sendwrap",
		"etc/fail2ban/jail.d/sendwrap.conf",
	} {
		if !slices.Contains(strings.Split(lists[0], "\n"), want) {
			t.Errorf("the package lacks %s", want)
		}
	}
}

// elfMachine names the machine of a program.
func elfMachine(program string) string {
	return map[byte]string{0x3e: "x86-64", 0xb7: "AArch64"}[program[18]]
}
