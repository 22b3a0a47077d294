package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/policy"
)

// A map that cannot be read, or that others can write, is an error of the line that names it. The
// rest holds, refusals are lenient, and the map is a source all the same: when it can be read, the
// policy is made again.
func TestAccessUnreadable(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(path string) error
		want string
	}{
		"missing":   {func(string) error { return nil }, "no such file; create it"},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"pipe": {func(path string) error { return unix.Mkfifo(path, 0o600) },
			"is not a regular file"},
		"link": {func(path string) error {
			return errors.Join(os.WriteFile(path+"x", nil, 0o600), os.Symlink(path+"x", path))
		}, "is a symbolic link; name the file itself"},
		"others write": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666))
		}, "chmod go-w"},
		"huge": {func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, maxFile+1))
		}, "is 16777217 bytes long"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "max_sessions 7\naccess map\n")
			m := filepath.Join(filepath.Dir(path), "map")
			if err := tt.make(m); err != nil {
				t.Fatal(err)
			}
			c, err := Load(path, allowlist.For(client))
			if c == nil || err == nil || strings.Count(err.Error(), "\n") > 0 ||
				!strings.HasPrefix(err.Error(), path+":2: access: "+m+": ") ||
				!strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v\nwant %s", err, tt.want)
			}
			if c.MaxSessions != 7 || c.OnPregreet != policy.Tempfail || c.Map != nil ||
				c.Policy().Map != nil || c.AccessMap != m {
				t.Errorf("%+v", c)
			}
			last := c.Sources[len(c.Sources)-1]
			if len(c.Sources) != 2 || last.Path != m || last.Stamp != policy.Look(m) {
				t.Errorf("sources %+v", c.Sources)
			}
		})
	}
}

// What is wrong in the map is an error of its line there; all else holds.
func TestAccessMistakes(t *testing.T) {
	path := write(t, "client_conns x\naccess map\n")
	m := writeAs(t, filepath.Join(filepath.Dir(path), "map"),
		"Connect:10.0.0.1/8 REJECT\nConnect:192.0.2.1\tERROR:550 no\n")
	c, err := Load(path, allowlist.For(client))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], path+":1: client_conns: ") ||
		!strings.HasPrefix(lines[1], m+":1: ") {
		t.Errorf("%v", err)
	}
	if c.OnPregreet == policy.Tempfail {
		t.Error("a wrong line is taken for a map that cannot be read")
	}
	got := c.Policy().Map.Match(client)
	if got.Access != rule.Deny || got.Key != "Connect:192.0.2.1" ||
		got.Source != (rule.Source{File: m, Line: 2}) || !strings.HasPrefix(got.Reply, "550 ") {
		t.Errorf("%+v", got)
	}
}

// A wrong line of the map that may have let in clients makes refusals lenient.
func TestAccessLetsIn(t *testing.T) {
	for line, letsIn := range map[string]bool{
		"Connect:10.0.0.1/8 OK": true, "10.0.0.1/8 RELAY": true, "Connect:10.0.0.1/8 SKIP": true,
		"GreetPause:10.0.0.1/8 0": true, "Connect:10.0.0.1/8 REJECT": false,
		"Connect:10.0.0.1/8 550 no": false, "ClientConn:10.0.0.1/8 0": false,
		"Connect:10. OK": false, // sendmail does not see it either, and no administrator would
	} {
		path := write(t, "access map\n")
		writeAs(t, filepath.Join(filepath.Dir(path), "map"), line+"\n")
		c, err := Load(path, allowlist.For(client))
		if got := c.OnPregreet == policy.Tempfail; got != letsIn ||
			got != (err != nil && InEffect(err.(*multierror.Error).Errors[0]) != "") {
			t.Errorf("%s: lenient: %v: %v", line, got, err)
		}
	}
}

// Of a map that changes while it is read, nothing holds: any client may have been spared in what
// was not read. /proc/self/status is longer than its size says, like a file that grows meanwhile.
func TestAccessChangesMeanwhile(t *testing.T) {
	path := write(t, "access /proc/self/status\n")
	c, err := Load(path, allowlist.For(client))
	const want = "/proc/self/status: changed while it was read; put the new file in place with mv"
	if err == nil || !strings.Contains(err.Error(), want) || c.OnPregreet != policy.Tempfail {
		t.Errorf("on_pregreet %v: %v", c.OnPregreet, err)
	}
}

// A map that is no text may have spared any client, as one that cannot be read.
func TestAccessBinary(t *testing.T) {
	path := write(t, "access map\n")
	m := writeAs(t, filepath.Join(filepath.Dir(path), "map"), "Connect:192.0.2.1 OK\x00\n")
	c, err := Load(path, allowlist.For(client))
	if err == nil || !strings.HasPrefix(err.Error(), m+":1: NUL byte; name a text file") ||
		c.OnPregreet != policy.Tempfail {
		t.Errorf("on_pregreet %v: %v", c.OnPregreet, err)
	}
}
