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

	"sendwrap/allowlist/rule"
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
	out, err := create(p.path, true)
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
