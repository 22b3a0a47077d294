package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/policy"
)

func at(path string) policy.Listen { return policy.Listen{Network: "unix", Address: path} }

// stale is a socket as a killed guard leaves it.
func stale(t testing.TB, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	mustDo(t, err)
	l.SetUnlinkOnClose(false)
	mustDo(t, l.Close())
}

// What may be in the place of the socket.
func TestListenPlace(t *testing.T) {
	for _, c := range []struct {
		name  string
		make  func(t *testing.T, path string)
		wrong string // "" = the socket is made
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"a socket that is left", func(t *testing.T, path string) { stale(t, path) }, ""},
		{"a socket on which somebody listens", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			mustDo(t, err)
			t.Cleanup(func() { l.Close() })
		}, "another guard listens there"},
		{"a socket whose listener has no time", func(t *testing.T, path string) {
			fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			mustDo(t, err, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0))
			t.Cleanup(func() { unix.Close(fd) })
			c, err := net.Dial("unix", path)
			mustDo(t, err)
			t.Cleanup(func() { c.Close() })
		}, "resource temporarily unavailable"},
		{"a datagram socket on which somebody listens",
			func(t *testing.T, path string) { openBook(t, path) }, "wrong type"},
		{"a file", func(t *testing.T, path string) {
			mustDo(t,
				os.WriteFile(path, []byte("precious"), 0o600))
		}, "is not a socket"},
		{"a directory", func(t *testing.T, path string) { mustDo(t, os.Mkdir(path, 0o700)) },
			"is not a socket"},
		{"a pipe", func(t *testing.T, path string) { mustDo(t, unix.Mkfifo(path, 0o600)) },
			"is not a socket"},
		{"a symbolic link to a socket", func(t *testing.T, path string) {
			stale(t, path+".real")
			mustDo(t, os.Symlink(path+".real", path))
		}, "is not a socket"},
		{"a symbolic link to nowhere", func(t *testing.T,
			path string) {
			mustDo(t, os.Symlink(path+".nowhere", path))
		}, "is not a socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := shortDir(t) + "/guard.sock"
			c.make(t, path)
			before, _ := os.Lstat(path)
			l, err := listen(at(path))
			if c.wrong == "" {
				mustDo(t, err)
				defer l.Close()
				if st, err := os.Lstat(path); err != nil || st.Mode() != fs.ModeSocket|0o600 {
					t.Errorf("%v, %v", st.Mode(), err)
				}
				conn, err := net.Dial("unix", path)
				mustDo(t, err, conn.Close())
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%v; want %s", err, c.wrong)
			}
			if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
				t.Errorf("it is another now: %v", err)
			}
		})
	}
}

// The socket's directory.
func TestListenDirectory(t *testing.T) {
	for _, c := range []struct {
		name  string
		mode  os.FileMode // 0 = missing
		deep  string      // below it
		wrong string
	}{
		{"as it should be", 0o755, "", ""},
		{"its owner's alone", 0o700, "", ""},
		{"missing", 0, "", ""},
		{"missing with the one above", 0, "/deep", "no such file or directory"},
		{"others may write", 0o777, "", "chmod 0755 it"},
		{"its group may write", 0o775, "", "chmod 0755 it"},
		{"as /tmp", os.ModeSticky | 0o777, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := shortDir(t) + "/dir"
			if c.mode != 0 {
				mustDo(t, os.Mkdir(dir, 0o700), os.Chmod(dir, c.mode))
			}
			checked := CheckListen(at(dir + c.deep + "/guard.sock"))
			l, err := listen(at(dir + c.deep + "/guard.sock"))
			if (checked == nil) != (err == nil) {
				t.Errorf("CheckListen: %v; but %v", checked, err)
			}
			// With 0700 the MTA, of another user, could not reach the socket.
			if c.deep != "" && !strings.Contains(fmt.Sprint(checked), "mkdir -p -m 0755 "+dir) {
				t.Errorf("CheckListen: %v; want the mode that the guard uses", checked)
			}
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v; want %s", err, c.wrong)
				}
				return
			}
			mustDo(t, err)
			defer l.Close()
			if st, err := os.Stat(dir); err != nil || c.mode == 0 && st.Mode().Perm() != 0o755 {
				t.Errorf("%v, %v", st.Mode(), err)
			}
		})
	}
}

// Only the owner can connect, from the first moment on and with any umask.
func TestListenMode(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := shortDir(t) + "/guard.sock"
	done := make(chan struct{})
	var seen sync.Map
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if st, err := os.Lstat(path); err == nil {
					seen.Store(st.Mode(), true)
				}
			}
		})
	}
	for range 300 {
		l, err := listen(at(path))
		mustDo(t, err, l.Close())
	}
	close(done)
	wait.Wait()
	seen.Range(func(mode, _ any) bool {
		if mode != fs.ModeSocket|0o600 {
			t.Errorf("mode %v for a moment", mode)
		}
		return true
	})
	if mask := syscall.Umask(0); mask != 0 {
		t.Errorf("the umask is %#o", mask)
	}
}

// owner= gives the socket to a user, by name or by number. An unknown user is an error.
func TestListenOwner(t *testing.T) {
	for _, c := range []struct {
		owner string
		uid   uint32
		wrong string
	}{
		{"", uint32(os.Getuid()), ""},
		{"nobody", 65534, ""},
		{"12345", 12345, ""},
		{"no-such-user", 0, "owner=no-such-user: "},
		{"-1", 0, "owner=-1: "},
	} {
		path := shortDir(t) + "/guard.sock"
		where := at(path)
		where.Owner = c.owner
		l, err := listen(where)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v; want %s", c.owner, err, c.wrong)
			}
			if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: there is a socket: %v", c.owner, err)
			}
			continue
		}
		mustDo(t, err)
		st, err := os.Lstat(path)
		mustDo(t, err)
		if got := st.Sys().(*syscall.Stat_t); got.Uid != c.uid || st.Mode() != fs.ModeSocket|0o600 {
			t.Errorf("owner=%s: uid %d, mode %v", c.owner, got.Uid, st.Mode())
		}
		mustDo(t, l.Close())
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the socket stays: %v", c.owner, err)
		}
	}
}
