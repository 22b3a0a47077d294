package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/tests/lab"
	"sendwrap/wrapper/policy"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// TestRefusedFiles: a file that is no configuration, or that others can write, is refused without
// reading it, as the main file and as an include.
func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	good := "mode observe\n"
	must(os.Mkdir(path("directory"), 0o755))
	must(unix.Mkfifo(path("fifo"), 0o644))
	must(os.Symlink(writeAs(t, path("real"), good), path("symlink")))
	must(os.Chmod(writeAs(t, path("writable"), good), 0o666))
	must(os.Chmod(writeAs(t, path("group"), good), 0o664))
	must(os.Truncate(writeAs(t, path("sparse"), good), 1<<30))
	must(os.Truncate(writeAs(t, path("large"), ""), maxFile+1))
	writeAs(t, path("binary"), good+"mta \x00\xff\x7fELF")
	socket, err := net.Listen("unix", path("socket"))
	must(err)
	defer socket.Close()

	tests := []struct{ file, want string }{
		{"missing", "no such file; create it, or name another"},
		{"real/below", "not a directory; name another file"},
		{"directory", "is a directory; name a file in it"},
		{"fifo", "is not a regular file; name a text file"},
		{"socket", "is not a regular file; name a text file"},
		{"/dev/zero", "is not a regular file; name a text file"},
		{"/dev/null", "is not a regular file; name a text file"},
		{"symlink", "is a symbolic link; name the file itself"},
		{"writable", "mode 0666 lets others write it; chmod go-w"},
		{"group", "mode 0664 lets others write it; chmod go-w"},
		{"sparse", "is 1073741824 bytes long; name a file of at most 16777216"},
		{"large", "is 16777217 bytes long; name a file of at most 16777216"},
		// its size is 0
		{"/proc/self/status", "changed while it was read; put the new file in place with mv"},
		{strings.Repeat("x", 5000), "file name too long; name another file"},
	}
	if unix.Geteuid() == 0 {
		must(os.Chown(writeAs(t, path("foreign"), good), 4242, 0))
		tests = append(tests, struct{ file, want string }{
			"foreign", "belongs to uid 4242; chown it to root"})
	} else {
		t.Run("foreign", func(t *testing.T) {
			lab.Need(t, "only root can create a file of another user")
		})
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%.20s", filepath.Base(tt.file)), func(t *testing.T) {
			file := tt.file
			if !filepath.IsAbs(file) {
				file = path(file)
			}
			c, err := Load(file, allowlist.For(client))
			var e *Error
			if c != nil || !errors.As(err, &e) || e.Error() != file+": "+tt.want {
				t.Errorf("Load: %v, %v\nwant nil, %s", c, err, tt.want)
			}
			main := write(t, "client_conns 7\ninclude "+file+"\nmax_waiting 7\n")
			c, err = Load(main, allowlist.For(client))
			if c == nil || c.ClientConns != 7 || c.MaxWaiting != 7 || c.Mode != policy.Enforce {
				t.Fatalf("included: %+v, %v", c, err)
			}
			want := []string{fmt.Sprintf("%s:2: include: %s: %s", main, file, tt.want)}
			if got := errorLines(t, err, "", ""); !reflect.DeepEqual(got, want) {
				t.Errorf("included: %s\nwant %s", got, want)
			}
		})
	}

	t.Run("binary", func(t *testing.T) {
		c, err := Load(path("binary"), allowlist.For(client))
		if want := path("binary") + ":2: NUL byte; name a text file"; c != nil || err == nil ||
			err.Error() != want {
			t.Errorf("%v, %v; want %s", c, err, want)
		}
	})
	t.Run("1 GB costs nothing", func(t *testing.T) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Load(path("sparse"), allowlist.For(client))
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; err == nil || spent > 64<<10 {
			t.Errorf("%v, %d bytes allocated", err, spent)
		}
	})
	t.Run("largest", func(t *testing.T) {
		must(os.WriteFile(path("largest"), []byte(strings.Repeat("#\n", maxFile/2)), 0o644))
		if _, err := Load(path("largest"), allowlist.For(client)); err != nil {
			t.Error(err)
		}
	})
	t.Run("empty name", func(t *testing.T) {
		if c, err := Load("", allowlist.For(client)); c != nil || err == nil {
			t.Errorf("%v, %v", c, err)
		}
	})
	t.Run("no descriptor is left open", func(t *testing.T) {
		entries, err := os.ReadDir("/proc/self/fd")
		must(err)
		for _, entry := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + entry.Name()); strings.HasPrefix(to, dir) {
				t.Errorf("descriptor %s is %s", entry.Name(), to)
			}
		}
	})
}

// TestUnreadable loads a file as a user without the permission to read it.
func TestUnreadable(t *testing.T) {
	path := write(t, "")
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		if unix.Geteuid() == 0 { // root reads everything, except on a thread with another fsuid
			runtime.LockOSThread() // without unlocking: the thread ends here
			if err := unix.Setfsuid(4242); err != nil {
				done <- err
				return
			}
		}
		_, err := Load(path, allowlist.For(client))
		done <- err
	}()
	err := <-done
	if want := fmt.Sprintf("%s: permission denied; let uid %d read it", path,
		unix.Geteuid()); err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

func TestInclude(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	main := writeAs(t, path("main"),
		"include sub/a\ninclude \"sub/with blank\"\ninclude "+path("absolute")+"\nmax_waiting 5\n")
	writeAs(t, path("sub/a"),
		"client_conns 7\ninclude b # beside a, not beside main\nclient_con 1\n")
	writeAs(t, path("sub/b"), "deny 192.0.2.1\nmax_waiting 6\ninclude ../main\ninclude a")
	writeAs(t, path("sub/with blank"), "max_sessions 8\ninclude b\n")
	writeAs(t, path("absolute"), "max_sessions 9\n\nmode observe")

	c, err := Load(main, allowlist.For(client))
	want := []string{
		"D/sub/b:3: include: D/main: includes itself, in a loop; remove this include",
		"D/sub/b:4: include: D/sub/a: includes itself, in a loop; remove this include",
		`D/sub/a:3: unknown directive "client_con"; did you mean client_conns?`,
		"D/sub/with blank:2: include: D/sub/b: is already included at D/sub/a:2; keep one",
		"D/absolute:1: max_sessions: already set at D/sub/with blank:1; keep one",
		"D/main:4: max_waiting: already set at D/sub/b:2; keep one",
	}
	if got := errorLines(t, err, dir, "D"); !reflect.DeepEqual(got, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.ClientConns != 0 || c.MaxSessions != 8 || c.MaxWaiting != 6 || c.Mode != policy.Observe {
		t.Errorf("%+v", c)
	}
	if m := c.Networks.Match(client); m.Access != rule.Deny ||
		m.Source != (rule.Source{File: path("sub/b"), Line: 1}) {
		t.Errorf("%+v", m)
	}
}

func TestIncludeItself(t *testing.T) {
	for _, name := range []string{"sendwrap.conf", "./sendwrap.conf", "hardlink"} {
		path := write(t, "include "+name+"\nmode observe\n")
		if err := os.Link(path, filepath.Join(filepath.Dir(path), "hardlink")); err != nil {
			t.Fatal(err)
		}
		c, err := Load(path, allowlist.For(client))
		if err == nil || !strings.Contains(err.Error(), "in a loop") || c == nil ||
			c.Mode != policy.Observe {
			t.Errorf("include %s: %v, %v", name, c, err)
		}
	}
}

// TestRelativePath: a file relative to the working directory, with its include beside it.
func TestRelativePath(t *testing.T) {
	path := write(t, "include more\n")
	writeAs(t, filepath.Join(filepath.Dir(path), "more"), "mode observe\n")
	t.Chdir(filepath.Dir(filepath.Dir(path)))
	c, err := Load(filepath.Join(filepath.Base(filepath.Dir(path)), "sendwrap.conf"),
		allowlist.For(client))
	if err != nil || c.Mode != policy.Observe {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestIncludeDepth(t *testing.T) {
	dir := t.TempDir()
	for i := range 18 {
		writeAs(t, filepath.Join(dir, fmt.Sprint(i)),
			fmt.Sprintf("allow 10.0.0.%d\ninclude %d\n", i, i+1))
	}
	c, err := Load(filepath.Join(dir, "0"), allowlist.All())
	want := []string{"D/16:2: include: more than 16 nested includes; include it from a file " +
		"further up"}
	if got := errorLines(t, err, dir, "D"); !reflect.DeepEqual(got, want) {
		t.Errorf("%s\nwant %s", got, want)
	}
	if n := c.Networks.Len(); n != 17 {
		t.Errorf("%d files were read; want 17", n)
	}
}

// TestIncludesCannotMultiply: without a check, 16 files that include the next one twice would be
// read 2^16 times.
func TestIncludesCannotMultiply(t *testing.T) {
	dir := t.TempDir()
	for i := range 16 {
		writeAs(t, filepath.Join(dir, fmt.Sprint(i)),
			fmt.Sprintf("allow 10.0.0.%d\ninclude %d\ninclude %d\n", i, i+1, i+1))
	}
	writeAs(t, filepath.Join(dir, "16"), "")
	c, _ := Load(filepath.Join(dir, "0"), allowlist.All())
	if n := c.Networks.Len(); n != 16 {
		t.Errorf("%d networks were read; want 16", n)
	}
}
