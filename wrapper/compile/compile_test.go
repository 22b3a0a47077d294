package compile

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/policy"
)

var client = netip.MustParseAddr("192.0.2.1")

// setup is a configuration with its policy, which is in a directory of its own.
type setup struct {
	*testing.T
	file, path string
}

func inPlace(t *testing.T, text string) *setup {
	t.Helper()
	top := t.TempDir()
	p := &setup{t, filepath.Join(top, "sendwrap.conf"), filepath.Join(top, "state", "policy")}
	p.write(text)
	return p
}

func (p *setup) write(text string) {
	p.Helper()
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		p.Fatal(err)
	}
}

// settle waits until the file can be compiled.
func (p *setup) settle() {
	for !policy.Look(p.file).IsSettled(time.Now()) {
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *setup) compile() Result {
	p.Helper()
	r, err := Compile(p.file, p.path)
	if err != nil {
		p.Fatal(err)
	}
	return r
}

// access is what the policy says of the client.
func (p *setup) access() (rule.Access, error) {
	c, err := policy.Open(p.path, p.file, client)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.Match(client).Access, nil
}

// wantOnly fails if there is more than the policy, or not even that, in its directory.
func (p *setup) wantOnly(names ...string) {
	p.Helper()
	entries, err := os.ReadDir(filepath.Dir(p.path))
	if err != nil {
		p.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(names) {
		p.Errorf("there are %v; want %v", got, names)
	}
}

// Compile makes the directory, waits until the file is settled, and says what it has done.
func TestCompile(t *testing.T) {
	p := inPlace(t, "deny 192.0.2.0/24 ::/0\nalow x\n")
	r := p.compile()
	if r.Networks != 2 || r.Bytes != 3*4096 || r.Took <= 0 || r.Mistakes == nil {
		t.Errorf("%+v", r)
	}
	if a, err := p.access(); a != rule.Deny {
		t.Errorf("%v, %v", a, err)
	}
	p.wantOnly("policy")
	for name, want := range map[string]os.FileMode{p.path: 0o600, filepath.Dir(p.path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, info, err, want)
		}
	}
	p.write("allow 192.0.2.1\n")
	if _, err := p.access(); err == nil {
		t.Error("the old policy is used for a new file")
	}
	p.compile()
	if a, err := p.access(); a != rule.Allow {
		t.Errorf("compiled again: %v, %v", a, err)
	}
}

// Nobody can know where the names of a policy are in it: the hash has another key each time.
func TestNameKey(t *testing.T) {
	p := inPlace(t, "deny .example.org\n")
	keys := map[[2]uint64]bool{}
	for range 3 {
		content, err := read(p.file, time.Now().Add(policy.Settled), new(Result))
		if err != nil {
			t.Fatal(err)
		}
		keys[content.NameKey] = true
	}
	if len(keys) != 3 || keys[[2]uint64{}] {
		t.Errorf("keys %v", keys)
	}
}

// TestTick: a file may be written twice within one tick of its clock, and gets the same times. A
// policy made between the two must never be used for the second. So there is none as long as the
// file is young. (Since Linux 6.13, a file that somebody has looked at gets finer times.)
func TestTick(t *testing.T) {
	p := inPlace(t, "")
	same, young := 0, 0
	for range 300 {
		p.write("deny 192.0.2.1  \n")
		before := policy.Look(p.file)
		if err := Renew(p.file, p.path); err != nil {
			t.Fatal(err)
		}
		_, err := p.access()
		if time.Now().UnixNano()-before.Ctime < int64(policy.Settled) {
			if young++; err == nil {
				t.Fatal("the policy of a file that has just changed")
			}
		}
		p.write("allow 192.0.2.1 \n")
		if before == policy.Look(p.file) {
			same++
		}
		if a, err := p.access(); err == nil && a != rule.Allow {
			t.Fatalf("%v by a policy that looks current", a)
		}
	}
	if young == 0 {
		t.Error("the file was never young")
	}
	t.Logf("%d of 300 with the same times", same)
	p.settle()
	if err := Renew(p.file, p.path); err != nil {
		t.Fatal(err)
	}
	if a, err := p.access(); a != rule.Allow {
		t.Errorf("settled: %v, %v", a, err)
	}
}

// TestCrowd: of many that find the policy stale, one writes it and the others go on.
func TestCrowd(t *testing.T) {
	p := inPlace(t, "deny 192.0.2.1\n")
	p.settle()
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			if err := Renew(p.file, p.path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	first := policy.Look(p.path)
	if a, err := p.access(); a != rule.Deny {
		t.Fatalf("%v, %v", a, err)
	}
	p.wantOnly("policy")
	for range 200 {
		all.Go(func() {
			if err := Renew(p.file, p.path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if policy.Look(p.path) != first {
		t.Error("a current policy was written again")
	}
}

// A writer keeps others away as long as it lives, and only as long. What a killed one has left is
// used by the next.
func TestBusy(t *testing.T) {
	p := inPlace(t, "deny 192.0.2.1\n")
	p.settle()
	out, err := create(p.path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.file.WriteString(strings.Repeat("half a policy", 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := Renew(p.file, p.path); err != nil {
		t.Error(err)
	}
	if _, err := write(p.file, p.path, false); err != ErrBusy {
		t.Errorf("beside a writer: %v", err)
	}
	// One that hangs is not waited for. It is no error that others have to log, until it is.
	old := time.Now().Add(-2 * hung)
	if err := os.Chtimes(p.path+".new", old, old); err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(p.file, p.path); err == nil ||
		!strings.Contains(err.Error(), "see whether it hangs") {
		t.Errorf("Compile beside a writer that hangs: %v", err)
	}
	if err := Renew(p.file, p.path); err == nil {
		t.Error("Renew says nothing of a writer that hangs")
	}
	p.wantOnly("policy.new")
	out.file.Close() // as the kernel does for one that is killed
	p.compile()
	if a, err := p.access(); a != rule.Deny {
		t.Errorf("%v, %v", a, err)
	}
	p.wantOnly("policy")
}

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

// An include that cannot be read is a source too: the policy ends when it can.
func TestCompileMissingInclude(t *testing.T) {
	p := inPlace(t, "include more.conf\ndeny 192.0.2.1\n")
	p.compile()
	if a, err := p.access(); a != rule.Deny {
		t.Fatalf("%v, %v", a, err)
	}
	more := filepath.Join(filepath.Dir(p.file), "more.conf")
	if err := os.WriteFile(more, []byte("# x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := p.access()
	if stale := new(policy.Stale); !errors.As(err, &stale) || stale.Source != more {
		t.Errorf("error %v", err)
	}
	p.compile()
	if err := os.Remove(more); err != nil {
		t.Fatal(err)
	}
	if _, err := p.access(); err == nil {
		t.Error("an include has vanished, and the policy is used")
	}
}
