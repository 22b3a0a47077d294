package ledger

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Files are private whatever the umask is.
func TestPrivateModes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		old := unix.Umask(mask)
		path := filepath.Join(ownDir(t), "new", "ledger")
		_, _, err := Open(path, MinClients, ThisBoot())
		unix.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{path: 0o600,
			filepath.Dir(path): 0o700 | os.ModeDir} {
			if st, err := os.Lstat(name); err != nil || st.Mode() != want {
				t.Errorf("umask %#o: %s has mode %v, %v; want %v", mask, name, st.Mode(), err, want)
			}
		}
	}
}

// A refusal is something that Open must refuse.
type refusal struct {
	name string
	make func(t *testing.T, path string)
	want string // in the error; PATH and DIR stand for those
	root bool
}

func refusals() []refusal {
	try := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ledger := func(t *testing.T, path string) {
		l, _, err := Open(path, MinClients, ThisBoot())
		try(t, err)
		try(t, l.Close())
	}
	mode := func(mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			ledger(t, path)
			try(t, os.Chmod(path, mode))
		}
	}
	dirMode := func(mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) { try(t, os.Chmod(filepath.Dir(path), mode)) }
	}
	return []refusal{
		{name: "readable by others", make: mode(0o604),
			want: "PATH: mode 0604 lets others in; if it is the ledger, chmod 0600 it, else " +
				"name another place"},
		{name: "writable by the group", make: mode(0o620),
			want: "PATH: mode 0620 lets others in; if it is the ledger, chmod 0600 it, else " +
				"name another place"},
		{name: "a directory that the group may write", make: dirMode(0o770),
			want: "DIR: mode 0770 lets others replace what is in it; put the ledger in a " +
				"directory of its own, mode 0700"},
		{name: "a directory that all may write", make: dirMode(0o777),
			want: "DIR: mode 0777 lets others replace what is in it; put the ledger in a " +
				"directory of its own, mode 0700"},
		{name: "a sticky directory", make: dirMode(os.ModeSticky | 0o777),
			want: "DIR: mode 01777 lets others replace what is in it; put the ledger in a " +
				"directory of its own, mode 0700"},
		{name: "a ledger in a directory that the group may write",
			make: func(t *testing.T, path string) {
				ledger(t, path)
				dirMode(0o770)(t, path)
			}, want: "DIR: mode 0770 lets others replace what is in it; put the ledger in a " +
				"directory of its own, mode 0700"},
		{name: "a ledger in another's directory", make: func(t *testing.T, path string) {
			ledger(t, path)
			try(t, os.Chown(filepath.Dir(path), 4242, 0))
		}, want: "DIR: belongs to uid 4242; chown it to root",
			root: true},
		{name: "a symbolic link to a ledger", make: func(t *testing.T, path string) {
			ledger(t, path+".real")
			try(t, os.Symlink(path+".real", path))
		}, want: "PATH: is not a regular file; name another place for the ledger"},
		{name: "a symbolic link to nothing", make: func(t *testing.T, path string) {
			try(t, os.Symlink(path+".real", path))
		}, want: "PATH: is not a regular file; name another place for the ledger"},
		{name: "a directory", make: func(t *testing.T, path string) {
			try(t, os.Mkdir(path, 0o700))
		},
			want: "PATH: is not a regular file; name another place for the ledger"},
		{name: "a FIFO", make: func(t *testing.T, path string) { try(t, unix.Mkfifo(path, 0o600)) },
			want: "PATH: is not a regular file; name another place for the ledger"},
		{name: "a socket", make: func(t *testing.T, path string) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			try(t, err)
			try(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
		}, want: "PATH: is not a regular file; name another place for the ledger"},
		{name: "a directory in a file", make: func(t *testing.T, path string) {
			try(t, os.Remove(filepath.Dir(path)))
			try(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, want: "open DIR: not a directory"},
		{name: "two directories missing", make: func(t *testing.T, path string) {
			try(t, os.RemoveAll(filepath.Dir(filepath.Dir(path))))
		}, want: "open DIR: no such file or directory"},
		{name: "another's ledger", make: func(t *testing.T, path string) {
			ledger(t, path)
			try(t, os.Chown(path, 4242, 0))
		}, want: "PATH: belongs to uid 4242; chown it to root",
			root: true},
		{name: "another's directory", make: func(t *testing.T, path string) {
			try(t, os.Chown(filepath.Dir(path), 4242, 0))
		},
			want: "DIR: belongs to uid 4242; chown it to root",
			root: true},
		{name: "another's file where the builder's belongs", make: func(t *testing.T, path string) {
			try(t, os.WriteFile(path+".new", []byte("theirs"), 0o600))
			try(t, os.Chown(path+".new", 4242, 0))
		}, want: "PATH.new: belongs to uid 4242; chown it to root",
			root: true},
		{name: "a symbolic link where the builder's file belongs",
			make: func(t *testing.T, path string) {
				try(t, os.WriteFile(path+".victim", []byte("victim"), 0o600))
				try(t, os.Symlink(path+".victim", path+".new"))
			}, want: "open PATH.new: too many levels of symbolic links"},
		{name: "a directory where the builder's file belongs",
			make: func(t *testing.T, path string) {
				try(t, os.Mkdir(path+".new", 0o700))
			}, want: "open PATH.new: is a directory"},
	}
}

// Whatever others could write to, or would like us to write to, is refused at once, by Check as
// well, and nothing is changed.
func TestPrivateRefusals(t *testing.T) {
	for _, tt := range refusals() {
		t.Run(tt.name, func(t *testing.T) {
			if tt.root {
				lab.NeedRoot(t)
			}
			dir := filepath.Join(ownDir(t), "var", "sendwrap")
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "ledger")
			tt.make(t, path)
			before := listing(dir)
			ends("the refusal", func() {
				_, _, err := Open(path, MinClients, ThisBoot())
				want := strings.NewReplacer("PATH", path, "DIR", dir).Replace(tt.want)
				if err == nil || err.Error() != want {
					t.Errorf("error: %v\nwant:  %s", err, want)
				}
			})
			if err := Check(path); err == nil && !strings.Contains(tt.want, "PATH.new") {
				t.Error("Check has nothing to say")
			}
			if after := listing(dir); after != before {
				t.Errorf("the directory held\n%s\nand now holds\n%s", before, after)
			}
			if fds := countOpen(t, dir); fds > 0 {
				t.Errorf("%d files of it are still open", fds)
			}
		})
	}
}

// listing is what a directory holds: names, modes, first bytes.
func listing(dir string) string {
	var b strings.Builder
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if st, err := e.Info(); err == nil {
			b.WriteString(st.Mode().String() + " " + e.Name())
			if st.Mode().IsRegular() {
				text, _ := os.ReadFile(filepath.Join(dir, e.Name()))
				b.WriteString(" " + string(text[:min(10, len(text))]))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// countOpen counts this process's descriptors of files in the directory.
func countOpen(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil &&
			strings.HasPrefix(name, dir) {
			n++
		}
	}
	return n
}

// A symbolic link as the last directory is followed, since an administrator has made it. A link
// where a bad file is set aside is replaced, not followed.
func TestPrivateLinks(t *testing.T) {
	dir := ownDir(t)
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(real, 0o700), os.Symlink(real, link)); err != nil {
		t.Fatal(err)
	}
	path, victim := filepath.Join(link, "ledger"), filepath.Join(dir, "victim")
	err := errors.Join(
		os.WriteFile(path, []byte("not a ledger"), 0o600),
		os.WriteFile(victim, []byte("victim"), 0o600),
		os.Symlink(victim, path+".bad"))
	if err != nil {
		t.Fatal(err)
	}
	mustOpen(t, path, MinClients)
	if text, err := os.ReadFile(victim); err != nil || string(text) != "victim" {
		t.Errorf("the victim holds %q, %v", text, err)
	}
	if text, err := os.ReadFile(path + ".bad"); err != nil || string(text) != "not a ledger" {
		t.Errorf("set aside: %q, %v", text, err)
	}
}

// openRole opens a ledger: LEDGER.
func openRole(args []string) error {
	l, _, err := Open(args[0], MinClients, ThisBoot())
	if err != nil {
		return err
	}
	return l.Do(Now(), func(*Tx) {})
}

// A user who is not root may use a ledger of its own, and not root's.
func TestPrivateForOtherUsers(t *testing.T) {
	lab.NeedRoot(t)
	dir, err := os.MkdirTemp("/tmp", "ledger") // where others may look
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	his, ours := filepath.Join(dir, "his"), filepath.Join(dir, "ours")
	if err := errors.Join(os.Mkdir(his, 0o700), os.Chown(his, 4242, 4242),
		os.Mkdir(ours, 0o755)); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, filepath.Join(ours, "ledger"), MinClients)
	attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 4242, Gid: 4242,
		NoSetGroups: true}}
	if err := startAs(t, thisProgram, attr, nil, "open",
		filepath.Join(his, "ledger")).end(); err != nil {
		t.Errorf("his own: %v", err)
	}
	c := startAs(t, thisProgram, attr, []string{roleVar + "=open"}, "open",
		filepath.Join(ours, "ledger"))
	if err := c.end(); err == nil {
		t.Error("he got at root's")
	}
}
