package admin

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/policy"
)

// compile writes the policy and says what it is. Wrong lines do not stop it.
func TestCompile(t *testing.T) {
	p := inPlace(t, noNotes+"deny 192.0.2.0/24\n")
	path, _ := policy.Path(filepath.Dir(p.conf), p.conf)
	want := regexp.MustCompile(`^` + regexp.QuoteMeta(path) +
		`: 3 networks, 12288 bytes, in .+s\n$`)
	out, errs := p.says(0, "compile")
	if !want.MatchString(out) || errs != "" {
		t.Errorf("%q, %q; want %v", out, errs, want)
	}
	p.write(p.read() + "alow 192.0.2.1\n")
	out, errs = p.says(0, "compile")
	if !want.MatchString(out) || !strings.HasPrefix(errs, p.conf+":8: unknown directive") {
		t.Errorf("%q, %q", out, errs)
	}
	p.write(noNotes + "deny 192.0.2.0/24 .example.org mx.example.net\n")
	out, _ = p.says(0, "compile")
	if !strings.Contains(out, ": 3 networks, 2 names, 16384 bytes") {
		t.Errorf("with names: %q", out)
	}
	if out, _ := p.says(0, "check", "-n"); !strings.HasPrefix(out,
		"ok: "+p.conf+", 3 networks, 2 names\npolicy: agrees\n") {
		t.Errorf("check: %q", out)
	}
}

// compile ends with 100 if there is nothing to compile, and with 111 if it cannot write.
func TestCompileFails(t *testing.T) {
	p := inPlace(t, noNotes)
	dir := filepath.Dir(p.conf)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path, _ := policy.Path(dir, p.conf)
	_, got := p.says(ExitTemporary, "compile")
	want := "sendwrap compile: " + path + ": " + dir +
		": mode 0777 lets others replace what is in it; make it mode 0700\n"
	if got != want {
		t.Errorf("%q; want %q", got, want)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	p.conf += "x"
	_, got = p.says(ExitUsage, "compile")
	if want := "sendwrap: " + p.conf + ": no such file; create it, or name another\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	p.conf = "sendwrap.conf"
	if _, got = p.says(ExitUsage, "compile"); !strings.Contains(got, "is a relative path") {
		t.Errorf("%q", got)
	}
}

// check says whether the compiled policy agrees with the text.
func TestCheckSaysIfPolicyAgrees(t *testing.T) {
	p := inPlace(t, noNotes)
	path, _ := policy.Path(filepath.Dir(p.conf), p.conf)
	const soon = "; the door makes a new one at the next connection"
	says := func(want string) {
		t.Helper()
		out, _ := p.says(0, "check")
		_, got, _ := strings.Cut(out, "\n")
		if got != "policy: "+want+"\n" {
			t.Errorf("%q; want %q", got, want)
		}
	}
	says("none yet; the door makes one at the next connection")
	p.says(0, "compile")
	says("agrees")
	if out, _ := p.says(0, "check", "192.0.2.1"); strings.Contains(out, "policy:") {
		t.Errorf("for an address:\n%s", out)
	}
	right := p.read()
	p.write(right + "alow 192.0.2.1\n") // wrong lines are compiled, too
	p.says(0, "compile")
	if out, _ := p.says(ExitUsage, "check"); out != "policy: agrees\n" {
		t.Errorf("with a wrong line: %q", out)
	}
	p.write(right + "greet_delay 9s\n")
	says(path + ": is older than " + p.conf + soon)
	p.says(0, "compile")
	says("agrees")
	// Without a hostname, check looks up the machine's, which the policy need not have.
	p.write(strings.Replace(p.read(), "hostname mx.example.org\n", "", 1))
	p.says(0, "compile")
	says("agrees")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[200] ^= 1
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	says(path + ": is damaged" + soon)
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	says(path + ": mode 0644 lets others in; remove it" + soon)
}

// check compares the settings, too: a policy that looks current may still not say what the text
// says.
func TestCheckFindsOtherSettings(t *testing.T) {
	p := inPlace(t, noNotes)
	path, _ := policy.Path(filepath.Dir(p.conf), p.conf)
	settings := policy.Default()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := policy.Write(f, &policy.Content{
		Made: time.Now(), Sources: []policy.Source{{Path: p.conf, Stamp: policy.Look(p.conf)}},
		Settings: &settings, Table: policy.Table{V4: []policy.Range{{}}, V6: []policy.Range{{}}},
	}); err != nil {
		t.Fatal(err)
	}
	out, _ := p.says(0, "check")
	if want := "policy: " + path + ": differs from the text; run sendwrap compile\n"; !strings.
		HasSuffix(out, want) {
		t.Errorf("%q; want %q", out, want)
	}
}
