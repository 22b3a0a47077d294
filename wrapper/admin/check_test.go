package admin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// check ADDRESS counts by the limit that holds for clients: the room's if there is a room.
func TestCheckAsRoom(t *testing.T) {
	for _, inRoom := range []bool{false, true} {
		p := inPlace(t, "max_waiting 2 room=9")
		p.enter(2, 2, 4*time.Minute, inRoom, false)
		text, _ := p.says(0, "check", "198.51.100.1")
		want, verdict := "2 of 2 waiting", "verdict: BUSY\n"
		if inRoom {
			want, verdict = "2 of 9 waiting", "verdict: PASS after 6s\n"
		}
		if !strings.Contains(text, want) || !strings.HasSuffix(text, verdict) {
			t.Errorf("in a room: %v\n%swant %q, %q", inRoom, text, want, verdict)
		}
	}
}

// noNotes are lines without which check has notes.
const noNotes = "allow 127.0.0.0/8 ::1\nmax_waiting 1000\n"

// check says why there can be no ledger, and makes nothing. Opening the ledger has the same result.
func TestCheckExaminesLedger(t *testing.T) {
	if os.Geteuid() != 0 {
		lab.Need(t, "another's files are refused: run this test as root")
	}
	sub := t // the test case at hand
	mkdir := func(name string, mode os.FileMode) string {
		if err := errors.Join(os.MkdirAll(name, 0o700), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file := func(name string, mode os.FileMode) string {
		mkdir(filepath.Dir(name), 0o700)
		if err := errors.Join(os.WriteFile(name, nil, mode), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	chown := func(name string) string {
		if err := os.Chown(name, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		return name
	}
	readOnly := func(name string) string {
		mkdir(name, 0o700)
		if err := unix.Mount("none", name, "tmpfs", unix.MS_RDONLY, "mode=700"); err != nil {
			lab.Need(sub, "mount(2) is needed, so CAP_SYS_ADMIN: "+err.Error())
		}
		sub.Cleanup(func() { unix.Unmount(name, 0) })
		return name
	}
	tests := []struct {
		name  string
		place func(top string) string // of the ledger
		want  string                  // TOP is the test's directory; "" = nothing
	}{
		{"there", func(top string) string { return file(top+"/ledger", 0o600) }, ""},
		{"not there", func(top string) string { return top + "/ledger" }, ""},
		{"its directory is made", func(top string) string { return top + "/dir/ledger" }, ""},
		{"a directory that others may read",
			func(top string) string { return mkdir(top+"/dir", 0o755) + "/ledger" }, ""},
		{"a linked directory", func(top string) string {
			if err := os.Symlink(mkdir(top+"/dir", 0o700), top+"/link"); err != nil {
				t.Fatal(err)
			}
			return top + "/link/ledger"
		}, ""},

		{"a damaged one, where it is set aside", func(top string) string {
			return file(mkdir(top+"/dir", 0o700)+"/ledger", 0o600)
		}, ""},
		{"a damaged one, where it stays", func(top string) string {
			path := file(top+"/dir/ledger", 0o600)
			mkdir(top+"/dir", 0o755)
			return path
		}, "TOP/dir/ledger: is not a ledger; if it was the ledger, remove it, else name another " +
			"place; in a directory of its own, mode 0700, a bad ledger is set aside"},
		{"a newer one", func(top string) string {
			return newer(mkdir(top+"/dir", 0o700) + "/ledger")
		}, "TOP/dir/ledger: is a ledger of version 99; this program writes 5; " +
			"install the newer sendwrap again, or move the file away to start a new ledger"},

		{"no parent", func(top string) string { return top + "/a/b/ledger" },
			"there is no directory TOP/a; mkdir -p -m 0700 TOP/a/b"},
		{"a file as parent", func(top string) string { return file(top+"/a", 0o600) + "/b/ledger" },
			"open TOP/a/b: not a directory; name another place, such as /var/lib/sendwrap/ledger"},
		{"a file as directory",
			func(top string) string { return file(top+"/a", 0o600) + "/ledger" },
			"open TOP/a: not a directory; name another place, such as /var/lib/sendwrap/ledger"},
		{"a directory that others may write",
			func(top string) string { return mkdir(top+"/dir", 0o770) + "/ledger" },
			"TOP/dir: mode 0770 lets others replace what is in it; " +
				"put the ledger in a directory of its own, mode 0700"},
		{"as /tmp",
			func(top string) string { return mkdir(top+"/dir", 0o777|os.ModeSticky) + "/ledger" },
			"TOP/dir: mode 01777 lets others replace what is in it; " +
				"put the ledger in a directory of its own, mode 0700"},
		{"another's directory",
			func(top string) string { return chown(mkdir(top+"/dir", 0o700)) + "/ledger" },
			"TOP/dir: belongs to uid 65534; chown it to root"},
		{"a file that others may read",
			func(top string) string { return file(top+"/ledger", 0o644) },
			"TOP/ledger: mode 0644 lets others in; " +
				"if it is the ledger, chmod 0600 it, else name another place"},
		{"another's file", func(top string) string { return chown(file(top+"/ledger", 0o600)) },
			"TOP/ledger: belongs to uid 65534; chown it to root"},
		{"a directory in its place", func(top string) string { return mkdir(top+"/ledger", 0o700) },
			"TOP/ledger: is not a regular file; name another place for the ledger"},
		{"a link in its place", func(top string) string {
			if err := os.Symlink(file(top+"/other", 0o600), top+"/ledger"); err != nil {
				t.Fatal(err)
			}
			return top + "/ledger"
		}, "TOP/ledger: is not a regular file; name another place for the ledger"},
		{"a pipe in its place", func(top string) string {
			if err := unix.Mkfifo(top+"/ledger", 0o600); err != nil {
				t.Fatal(err)
			}
			return top + "/ledger"
		}, "TOP/ledger: is not a regular file; name another place for the ledger"},
		{"not to be written to",
			func(top string) string { return readOnly(top+"/dir") + "/ledger" },
			"TOP/dir cannot be written to: read-only file system; " +
				"name another place for the ledger"},
		{"not to be made", func(top string) string { return readOnly(top+"/dir") + "/dir/ledger" },
			"TOP/dir cannot be written to: read-only file system; " +
				"name another place for the ledger"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			top := mkdir(filepath.Join(t.TempDir(), "top"), 0o700)
			sub = t
			path := tt.place(top)
			before := tree(t, top)
			p := inPlace(t, "")
			p.write("mta /bin/true\nledger " + path + " clients=1024\n" + noNotes +
				"hostname mx.example.org\n")
			code, want := 0, ""
			if tt.want != "" {
				code = ExitUsage
				why := strings.ReplaceAll(tt.want, "TOP", top)
				want = p.conf + ":2: ledger: " + why + "\n1 error\n"
			}
			if _, got := p.says(code, "check"); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if after := tree(t, top); after != before {
				t.Errorf("there was\n%snow there is\n%s", before, after)
			}
			l, _, err := ledger.Open(path, 1024, ledger.ThisBoot())
			if (err != nil) != (tt.want != "") {
				t.Errorf("but opening it: %v", err)
			}
			if err == nil {
				l.Close()
			}
		})
	}
}

// newer makes a ledger of a later version.
func newer(path string) string {
	l, _, err := ledger.Open(path, 1024, ledger.ThisBoot())
	if err == nil {
		l.Close()
		var image []byte
		if image, err = os.ReadFile(path); err == nil {
			image[8] = 99
			err = os.WriteFile(path, image, 0o600)
		}
	}
	if err != nil {
		panic(err)
	}
	return path
}

// tree lists a directory.
func tree(t *testing.T, top string) string {
	t.Helper()
	text := ""
	err := filepath.Walk(top, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			text += fmt.Sprintln(path, info.Mode(), info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
