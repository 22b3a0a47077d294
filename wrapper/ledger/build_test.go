package ledger

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// buildRole opens a ledger when the gate opens, or without a gate when it gets a line. It prints
// the inode and the number of notes: LEDGER, GATE or "", CLIENTS.
func buildRole(args []string) error {
	fmt.Println(unix.Gettid())
	if args[1] == "" {
		waitForLine()
	} else {
		gate, err := unix.Open(args[1], unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		if err := unix.Flock(gate, unix.LOCK_SH); err != nil {
			return err
		}
	}
	clients, _ := strconv.Atoi(args[2])
	var l *Ledger
	var notes []string
	err := untilFree(func() (err error) {
		l, notes, err = Open(args[0], clients, ThisBoot())
		return err
	})
	if err != nil {
		return err
	}
	err = untilFree(func() error { return l.Do(Now(), func(t *Tx) { t.Count(1) }) })
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(l.fd, &st); err != nil {
		return err
	}
	fmt.Println(st.Ino, len(notes))
	return nil
}

// beginnings are what Open may find where it has to make a new file.
func beginnings(t *testing.T) map[string]func(path string) {
	image, old := template(t), older(t, 1)
	return map[string]func(path string){
		"missing": func(string) {},
		"bad": func(path string) {
			if err := os.WriteFile(path, []byte("not a ledger"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"of another size": func(path string) {
			if err := os.WriteFile(path, image, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"of version 1": func(path string) {
			if err := os.WriteFile(path, old, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// However many processes find at once that a file has to be made, it is made once, and all use the
// same.
func TestHonestBuildersAtOnce(t *testing.T) {
	const builders = 24
	for name, begin := range beginnings(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(ownDir(t), "ledger")
			begin(path)
			gate, err := unix.Open(path+".gate", unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
			if err == nil {
				err = unix.Flock(gate, unix.LOCK_EX)
			}
			if err != nil {
				t.Fatal(err)
			}
			var all []*child
			for range builders {
				all = append(all, start(t, "build", path, path+".gate", "2048"))
			}
			for _, c := range all {
				c.line(t)
			}
			if err := unix.Close(gate); err != nil {
				t.Fatal(err)
			}
			files, notes := map[uint64]int{}, 0
			for _, c := range all {
				var inode uint64
				var n int
				if _, err := fmt.Sscan(c.line(t), &inode, &n); err != nil {
					t.Fatal(err)
				}
				files[inode]++
				notes += n
				if err := c.end(); err != nil {
					t.Error(err)
				}
			}
			l, _ := mustOpen(t, path, 2048)
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err != nil {
				t.Fatal(err)
			}
			if files[st.Ino] != builders {
				t.Errorf("%d builders use the files %v; all were to use %d", builders, files,
					st.Ino)
			}
			if want := map[string]int{"missing": 0, "bad": 1, "of another size": 1,
				"of version 1": 2}[name]; notes != want {
				t.Errorf("%d notes; want %d", notes, want)
			}
			if n := l.totals.verdicts[1]; n < builders {
				t.Errorf("%d pieces of work are in the file; want %d", n, builders)
			}
			mustAudit(t, l)
			if _, err := os.Lstat(path + ".new"); err == nil {
				t.Error("the builder's file was left behind")
			}
		})
	}
}

// A builder that is killed after any of its system calls does not hinder the next.
func TestHonestBuilderKilled(t *testing.T) {
	for name, begin := range beginnings(t) {
		t.Run(name, func(t *testing.T) {
			calls := 0
			path := filepath.Join(ownDir(t), "ledger")
			for ended := false; !ended; calls++ {
				_ = os.Remove(path) // a place for each would take 300 MB
				begin(path)
				ended = killAtCall(t, start(t, "build", path, "", "2048"), calls)
				l, _ := mustOpen(t, path, 2048)
				mustAudit(t, l)
				if name == "of another size" {
					if s := look(t, l, from(hostN(blockedN))); !s.Blocked {
						t.Errorf("killed at call %d: the block is lost", calls)
					}
				}
				if name == "of version 1" && (l.totals.verdicts[15] != 16 ||
					l.find(keyOf(netip.MustParsePrefix("2001:db8:1:2::/64"))) < 0) {
					t.Errorf("killed at call %d: what version 1 knew is lost", calls)
				}
				must(t, l, func(tx *Tx) { tx.Enter(from(hostN(1)), Self()) })
				shut(l)
				if _, err := os.Lstat(path + ".new"); err == nil {
					t.Errorf("killed at call %d: its file was left behind", calls)
				}
			}
			t.Logf("%d system calls", calls)
			if calls < 15 {
				t.Errorf("a builder of %d system calls was not followed to its end", calls)
			}
		})
	}
}

// killAtCall lets the child run until its n-th system call has ended and kills it there. It reports
// true if the child has ended before.
func killAtCall(t *testing.T, c *child, n int) (ended bool) {
	t.Helper()
	tid, err := strconv.Atoi(c.line(t))
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceAttach(tid); err != nil {
		lab.Need(t, "ptrace is needed: "+err.Error())
	}
	waitStep(t, tid)
	c.tell(t, "go")
	for stops := 0; stops <= 2*n+2; stops++ { // it is in a call, waiting for us
		if err := unix.PtraceSyscall(tid, 0); err != nil {
			t.Fatalf("ptrace: %v", err)
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
			t.Fatal(err)
		}
		if status.Exited() {
			c.reaped = true
			if status.ExitStatus() != 0 {
				t.Errorf("undisturbed it ends with status %d", status.ExitStatus())
			}
			return true
		}
	}
	_ = c.kill()
	return false
}
