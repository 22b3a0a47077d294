package compile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/policy"
)

// What Compile cannot do leaves the policy as it was, and nothing beside it.
func TestCompileFails(t *testing.T) {
	lab.NeedRoot(t)
	mount := func(p *setup, flags uintptr, options string) error {
		dir := filepath.Dir(p.path)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := unix.Mount("none", dir, "tmpfs", flags, options); err != nil {
			lab.Need(p, "mount(2) is needed, so CAP_SYS_ADMIN: "+err.Error())
		}
		p.Cleanup(func() { unix.Unmount(dir, 0) })
		return nil
	}
	for name, tt := range map[string]struct {
		prepare func(p *setup) error
		want    error  // that it is
		text    string // or its end
	}{
		"full disk": {prepare: func(p *setup) error {
			if err := mount(p, 0, "mode=700,size=8k"); err != nil {
				return err
			}
			return os.WriteFile(p.path+".other", []byte("x"), 0o600)
		}, want: unix.ENOSPC},
		"read-only": {prepare: func(p *setup) error { return mount(p, unix.MS_RDONLY, "mode=700") },
			want: unix.EROFS},
		"no parent": {prepare: func(p *setup) error {
			p.path = filepath.Join(filepath.Dir(p.path), "x", "policy")
			return nil
		}, want: unix.ENOENT},
		"another's directory": {prepare: func(p *setup) error {
			return errors.Join(os.Mkdir(filepath.Dir(p.path), 0o700),
				os.Chown(filepath.Dir(p.path), 65534, 65534))
		}, text: "belongs to uid 65534; chown it to root"},
		"open directory": {prepare: func(p *setup) error {
			return errors.Join(os.Mkdir(filepath.Dir(p.path), 0o700),
				os.Chmod(filepath.Dir(p.path), 0o777))
		}, text: "lets others replace what is in it; make it mode 0700"},
		"a link in its place": {prepare: func(p *setup) error {
			return errors.Join(os.Mkdir(filepath.Dir(p.path), 0o700),
				os.Symlink("/etc/passwd", p.path+".new"))
		}, text: ".new: is no regular file; remove it"},
		"a pipe in its place": {prepare: func(p *setup) error {
			return errors.Join(os.Mkdir(filepath.Dir(p.path), 0o700),
				unix.Mkfifo(p.path+".new", 0o600))
		}, text: ".new: is no regular file; remove it"},
		"a directory in its place": {prepare: func(p *setup) error {
			return os.MkdirAll(p.path+".new", 0o700)
		}, text: ".new: is no regular file; remove it"},
		"another's file": {prepare: func(p *setup) error {
			return errors.Join(os.Mkdir(filepath.Dir(p.path), 0o700),
				os.WriteFile(p.path+".new", nil, 0o600), os.Chown(p.path+".new", 65534, 65534))
		}, text: "belongs to uid 65534; chown it to root"},
		"no text": {prepare: func(p *setup) error { return os.Remove(p.file) },
			text: "no such file; create it, or name another"},
	} {
		t.Run(name, func(t *testing.T) {
			p := inPlace(t, "deny 192.0.2.1\n")
			if err := tt.prepare(p); err != nil {
				t.Fatal(err)
			}
			p.T = t
			before, _ := os.ReadDir(filepath.Dir(p.path))
			_, err := Compile(p.file, p.path)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) ||
				!strings.HasSuffix(err.Error(), tt.text) {
				t.Errorf("error %v; want %v %s", err, tt.want, tt.text)
			}
			after, _ := os.ReadDir(filepath.Dir(p.path))
			if len(after) != len(before) {
				t.Errorf("there was %v, and now %v", before, after)
			}
			if _, err := p.access(); err == nil {
				t.Error("there is a policy")
			}
		})
	}
}

// An old policy stays where there is no room for a new one, and it is not used.
func TestCompileFullKeeps(t *testing.T) {
	lab.NeedRoot(t)
	p := inPlace(t, "deny 192.0.2.1\n")
	dir := filepath.Dir(p.path)
	err := errors.Join(os.Mkdir(dir, 0o700),
		unix.Mount("none", dir, "tmpfs", 0, "mode=700,size=16k"))
	if err != nil {
		lab.Need(t, "mount(2) is needed, so CAP_SYS_ADMIN: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	p.compile()
	before, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.write("allow 192.0.2.1\n")
	if _, err := Compile(p.file, p.path); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if after, err := os.ReadFile(p.path); err != nil || string(after) != string(before) {
		t.Errorf("the policy is another, %v", err)
	}
	if _, err := p.access(); err == nil {
		t.Error("it is used")
	}
	p.wantOnly("policy")
}

// Where a policy cannot be made, the next processes that find none leave it for a minute. What an
// administrator starts tries all the same, and so does everybody if the clock was set back.
func TestRenewIsPutOff(t *testing.T) {
	lab.NeedRoot(t)
	p := inPlace(t, "deny 192.0.2.1\n")
	dir := filepath.Dir(p.path)
	err := errors.Join(os.Mkdir(dir, 0o700),
		unix.Mount("none", dir, "tmpfs", 0, "mode=700,size=8k"))
	if err != nil {
		lab.Need(t, "mount(2) is needed, so CAP_SYS_ADMIN: "+err.Error())
	}
	t.Cleanup(func() { unix.Unmount(dir, 0) })
	if err := os.WriteFile(p.path+".other", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.settle()
	renew := func(when string, want error) {
		t.Helper()
		if err := Renew(p.file, p.path); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", when, err, want)
		}
		p.wantOnly("policy.new", "policy.other")
	}
	renew("the first", unix.ENOSPC)
	left := policy.Look(p.path + ".new")
	renew("the next", nil)
	if policy.Look(p.path+".new") != left {
		t.Error("the next has touched what the first has left")
	}
	for when, at := range map[string]time.Duration{
		"later": -time.Second, "after the clock was set back": retryAfter + time.Hour,
	} {
		moment := time.Now().Add(at)
		if err := os.Chtimes(p.path+".new", moment, moment); err != nil {
			t.Fatal(err)
		}
		renew(when, unix.ENOSPC)
	}
	if _, err := Compile(p.file, p.path); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("an administrator: %v", err)
	}
	p.wantOnly("policy.other")
	renew("then", unix.ENOSPC)
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_REMOUNT, "size=1m"); err != nil {
		t.Fatal(err)
	}
	p.compile()
	p.wantOnly("policy", "policy.other")
}
