package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/fileaccess"
)

func TestPath(t *testing.T) {
	for file, want := range map[string]string{
		DefaultPath: "/d/policy", "/x": "/d/policy-07d64e07b49caeb2", "x": "", "": "",
	} {
		if got, ok := Path("/d", file); got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", file, got, ok, want)
		}
	}
}

// Trees of each height find each of their ranges, and the gaps between them.
func TestLookup(t *testing.T) {
	for _, networks := range []int{0, 1, 72, 73, 126, 127, 128, 1000, 150_000} {
		s := newSample(t, networks)
		c, err := Open(s.path, s.file, netip.Addr{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d networks: %d and %d levels", networks, c.header.v4.levels, c.header.v6.levels)
		for _, f := range []family{v4, v6} {
			for n := 0; n < networks; n += 1 + networks/500 {
				client, want := s.nth(n, f)
				rules := c.Others([]netip.Addr{client, client.Next(), {}})
				if rules == nil || rules.Match(client) != want {
					t.Fatalf("%d networks, %v: %v; want %+v", networks, client, rules, want)
				}
				if m := rules.Match(client.Next()); m != (rule.Match{}) {
					t.Fatalf("%d networks, beside %v: %+v", networks, client, m)
				}
			}
			last := f.addr(f.last())
			if m := c.Others([]netip.Addr{last}).Match(last); m != (rule.Match{}) {
				t.Errorf("%v: %+v", last, m)
			}
		}
		c.Close()
		if c.Others(nil) != nil {
			t.Error("a closed policy answers")
		}
	}
}

// What is no network comes back too, however long it is.
func TestTexts(t *testing.T) {
	for _, n := range []int{0, 1000, 3300, 3400, 3500, 5000, 100_000} {
		want := []string{strings.Repeat("x", n), "last"}
		s := newSample(t, 3, want...)
		s.settings.Teaser, s.settings.OnBlock = strings.Repeat("y", 400), []string{"/a", ""}
		s.write()
		client, rules := s.nth(1, v4)
		c, err := Open(s.path, s.file, netip.AddrFrom16(client.As16())) // the IPv4-mapped form
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got := c.Warnings(); !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %d warnings", n, len(got))
		}
		p := c.Policy()
		if !reflect.DeepEqual(*p.Settings, s.settings) || p.Match(client) != rules {
			t.Errorf("%d: %+v", n, p)
		}
		if other, _ := s.nth(2, v4); p.Match(other) != (rule.Match{}) {
			t.Error("answers for a client that it was not asked about")
		}
	}
	s := newSample(t, 1)
	s.settings.Teaser = strings.Repeat("x", maxTexts)
	if _, err := Write(nil, s.content); err != errTooLarge {
		t.Errorf("too long a text: %v", err)
	}
}

// ctime is that of a file.
func ctime(name string) unix.Timespec {
	var st unix.Stat_t
	_ = unix.Stat(name, &st)
	return st.Ctim
}

// TestStale: a policy whose sources have changed in any way is not used.
func TestStale(t *testing.T) {
	replace := func(s *sample) error {
		if err := os.WriteFile(s.file+".new", []byte("# y\n"), 0o600); err != nil {
			return err
		}
		return os.Rename(s.file+".new", s.file)
	}
	for name, change := range map[string]func(s *sample) error{
		"longer": func(s *sample) error { return os.WriteFile(s.file, []byte("# xx\n"), 0o600) },
		"rewritten": func(s *sample) error {
			old := Look(s.file)
			for at := ctime(s.file); ctime(s.file) == at; { // the clock's tick
				if err := os.WriteFile(s.file, []byte("# y\n"), 0o600); err != nil {
					return err
				}
			}
			at := time.Unix(0, old.Mtime)
			return os.Chtimes(s.file, at, at) // as cp -p and editors do
		},
		"replaced": replace,
		"replaced with its times": func(s *sample) error {
			old := Look(s.file)
			if err := replace(s); err != nil {
				return err
			}
			at := time.Unix(0, old.Mtime)
			return os.Chtimes(s.file, at, at)
		},
		"removed": func(s *sample) error { return os.Remove(s.file) },
		"linked": func(s *sample) error {
			return errors.Join(os.Rename(s.file, s.file+".old"), os.Symlink(s.file+".old", s.file))
		},
		"other mode": func(s *sample) error {
			for at := ctime(s.file); ctime(s.file) == at; {
				err := errors.Join(os.Chmod(s.file, 0o666), os.Chmod(s.file, 0o600))
				if err != nil {
					return err
				}
			}
			return nil
		},
		"an include that was not there": func(s *sample) error {
			missing := s.file + ".include"
			s.content.Sources = append(s.content.Sources, Source{missing, Look(missing)})
			s.put(s.bytes())
			client, want := s.nth(0, v4)
			if m, err := s.match(client); m != want {
				return err
			}
			return os.WriteFile(missing, nil, 0o600)
		},
		"from the future": func(s *sample) error {
			s.content.Made = time.Now().Add(time.Hour)
			s.put(s.bytes())
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSample(t, 3)
			s.TB = t
			client, want := s.nth(0, v4)
			if m, err := s.match(client); m != want {
				t.Fatalf("before: %+v, %v", m, err)
			}
			if err := change(s); err != nil {
				t.Fatal(err)
			}
			_, err := s.match(client)
			if stale := new(Stale); !errors.As(err, &stale) {
				t.Errorf("error %v; want a Stale", err)
			}
		})
	}
}

// A file is settled when no later change can leave it its ctime. A policy with a file from the
// future holds until the clock is there.
func TestSettled(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		age     time.Duration
		settled bool
	}{
		{0, false}, {Settled - 1, false}, {Settled, true}, {time.Hour, true},
		{-1, false}, {-Settled, false}, {-Settled - 1, true}, {-time.Hour, true},
	} {
		s := Stamp{Ctime: now.Add(-tt.age).UnixNano()}
		if got := s.IsSettled(now); got != tt.settled {
			t.Errorf("of %v: settled %v", tt.age, got)
		}
		made := now.UnixNano()
		for _, later := range []time.Duration{0, -tt.age - Settled - 1} {
			if at := made + int64(later); at >= made && tt.settled && !s.holds(made, at) {
				t.Errorf("of %v: does not hold after %v", tt.age, later)
			}
		}
		if at := s.Ctime - int64(Settled); s.Ctime > made && s.holds(made, at) {
			t.Errorf("of %v: holds a second before its time", tt.age)
		}
	}
	if s := (Stamp{Err: unix.ENOENT}); !s.IsSettled(now) || !s.holds(0, 1) {
		t.Error("a file that is not there is not settled")
	}
}

// TestUnusable: a file that is not a whole policy of ours is not used, and the error says why.
func TestUnusable(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(s *sample) error
		want   string // of its text
	}{
		"none":    {func(s *sample) error { return os.Remove(s.path) }, "no such file"},
		"empty":   {func(s *sample) error { return os.Truncate(s.path, 0) }, "is cut off"},
		"a byte":  {func(s *sample) error { return os.Truncate(s.path, 1) }, "is cut off"},
		"shorter": {func(s *sample) error { return os.Truncate(s.path, 2*pageSize) }, "bytes long"},
		"longer":  {func(s *sample) error { return os.Truncate(s.path, 1<<20) }, "bytes long"},
		"zeros": {func(s *sample) error { s.put(make([]byte, 9*pageSize)); return nil },
			"is no compiled policy"},
		"version": {func(s *sample) error {
			b := s.bytes()
			put32(b[headSize+8:], Version+1)
			s.put(b)
			return nil
		}, fmt.Sprintf("is of version %d; this program reads %d", Version+1, Version)},
		"other file": {func(s *sample) error {
			s.content.Sources[0].Path += "x"
			s.put(s.bytes())
			return nil
		}, "of another file"},
		"no source": {func(s *sample) error {
			s.content.Sources = nil
			s.put(s.bytes())
			return nil
		}, "of another file"},
		"mode": {func(s *sample) error { return os.Chmod(s.path, 0o620) },
			"mode 0620 lets others in"},
		"link": {func(s *sample) error {
			return errors.Join(os.Rename(s.path, s.path+"x"), os.Symlink(s.path+"x", s.path))
		}, "symbolic links"},
		"pipe": {func(s *sample) error {
			return errors.Join(os.Remove(s.path), unix.Mkfifo(s.path, 0o600))
		}, "is not a regular file"},
		"directory": {func(s *sample) error {
			return errors.Join(os.Remove(s.path), os.Mkdir(s.path, 0o700))
		}, "is not a regular file"},
		"owner": {func(s *sample) error {
			lab.NeedRoot(s.TB.(*testing.T))
			return os.Chown(s.path, 65534, 65534)
		}, "belongs to uid 65534"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSample(t, 200)
			s.TB = t
			if err := tt.change(s); err != nil {
				t.Fatal(err)
			}
			client, _ := s.nth(0, v4)
			_, err := s.match(client)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want %q", err, tt.want)
			}
			fault, isFault := err.(*fileaccess.Fault)
			if isFault && fault.Name != s.path {
				t.Errorf("names %s", fault.Name)
			}
		})
	}
}

// A policy that is cut off while a process has it open answers no more, and does not crash. One
// that is replaced answers as before.
func TestWhileOpen(t *testing.T) {
	s := newSample(t, 1000)
	client, want := s.nth(999, v4)
	c, err := Open(s.path, s.file, client)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = errors.Join(os.Rename(s.path, s.path+".old"), os.WriteFile(s.path, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	if rules := c.Others([]netip.Addr{client}); rules == nil || rules.Match(client) != want {
		t.Errorf("of one that was replaced: %v", rules)
	}
	if err := os.Truncate(s.path+".old", 2*pageSize); err != nil {
		t.Fatal(err)
	}
	if rules := c.Others([]netip.Addr{client}); rules != nil {
		t.Errorf("of one that was cut off: %v", rules)
	}
	if c.Match(client) != want {
		t.Error("has forgotten the client")
	}
}
