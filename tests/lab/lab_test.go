package lab

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is also a program that works in a laboratory until it is killed.
const roleName = "SENDWRAP_LAB_TEST"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleName); role {
	case "":
		os.Exit(m.Run())
	case "orphan": // what a caller that is killed leaves behind
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), roleName+"=work")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			panic(err)
		}
	default:
		os.Exit(Isolate(Setup{Run: untilKilled}))
	}
}

// untilKilled starts a process in a session of its own, makes a file and a mount, says so, and
// waits.
func untilKilled() int {
	sleep := exec.Command("setsid", "sleep", os.Getenv("SENDWRAP_LAB_TEST_SLEEP"))
	err := sleep.Start()
	if err == nil {
		_, err = os.CreateTemp("", "left")
	}
	if err == nil && NoNamespaces() == "" {
		err = Cover("/etc/hostname", "covered\n")
	}
	fmt.Println("ready", Dir(), err)
	select {}
}

// A run that is interrupted leaves no process and no file behind, and so no namespace and no mount.
func TestInterrupted(t *testing.T) {
	NeedRoot(t)
	NeedProgram(t, "setsid")
	for i, tt := range []struct {
		role   string
		signal unix.Signal
	}{
		{"work", unix.SIGINT}, {"work", unix.SIGTERM}, {"work", unix.SIGHUP},
		{"orphan", unix.SIGKILL}, // of the caller; the work itself then ends
		{"work", unix.SIGKILL},   // the directory goes with the next run
	} {
		t.Run(fmt.Sprintf("%s-%v", tt.role, tt.signal), func(t *testing.T) {
			tmp := t.TempDir()
			sleep := fmt.Sprintf("%d", 100000+10*os.Getpid()+i) // which no other process is called
			start := func() (*exec.Cmd, string) {
				t.Helper()
				cmd := exec.Command("/proc/self/exe")
				cmd.Env = append(os.Environ(),
					roleName+"="+tt.role, "SENDWRAP_LAB_TEST_SLEEP="+sleep, "TMPDIR="+tmp)
				out, err := cmd.StdoutPipe()
				if err == nil {
					err = cmd.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
				line, _ := bufio.NewReader(out).ReadString('\n')
				go io.Copy(io.Discard, out)
				dir, isReady := strings.CutPrefix(line, "ready ")
				if dir = strings.TrimSuffix(dir, " <nil>\n"); !isReady {
					t.Fatalf("it says %q", line)
				}
				Eventually(t, "its process sleeps",
					func() bool { return len(sleepers(sleep)) == 1 })
				return cmd, dir
			}
			cmd, dir := start()
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			Eventually(t, "its processes end", func() bool { return len(sleepers(sleep)) == 0 })
			if tt.role == "work" && tt.signal == unix.SIGKILL {
				next, _ := start()
				_ = next.Process.Signal(unix.SIGTERM)
			}
			Eventually(t, "its directory "+dir+" goes", func() bool {
				left, err := os.ReadDir(tmp)
				return err == nil && len(left) == 0
			})
		})
	}
}

// sleepers are the processes that sleep for that many seconds.
func sleepers(seconds string) []int {
	return Processes(func(pid int) bool {
		return slices.Equal(Cmdline(pid), []string{"sleep", seconds})
	})
}

// A run beside another one leaves that one's directory alone.
func TestBeside(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	mine, err := MakeDir(dirPrefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	stranger := filepath.Join(os.TempDir(), dirPrefix+"notes")
	gone := filepath.Join(os.TempDir(), dirPrefix+"4711")
	for _, dir := range []string{stranger, gone} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	var tidied []string
	beside, err := MakeDir(dirPrefix, func(dir string) { tidied = append(tidied, dir) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(tidied, []string{gone}) {
		t.Errorf("%q are tidied up, want %s alone", tidied, gone)
	}
	for dir, want := range map[string]bool{
		mine: true, beside: true, stranger: true, gone: false,
	} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s is there: %v; want %v", dir, err == nil, want)
		}
	}
}

// skipper is a test that notes what happens to it.
type skipper struct{ skipped, failed string }

func (s *skipper) Skip(why ...any)  { s.skipped = fmt.Sprint(why...) }
func (s *skipper) Fatal(why ...any) { s.failed = fmt.Sprint(why...) }

// What is missing is named with its package. It is a skip, and with CI=true a failure.
func TestNeed(t *testing.T) {
	const want = "no systemd-analyze: install systemd (tests/setup.sh does)"
	for ci, got := range map[string]*skipper{"": {}, "true": {}} {
		t.Setenv("CI", ci)
		Need(got, "")
		if *got != (skipper{}) {
			t.Errorf("CI=%q: with nothing missing: %+v", ci, got)
		}
		Need(got, Missing("systemd-analyze"))
		if (got.skipped == want) == (ci == "true") || (got.failed == want) != (ci == "true") {
			t.Errorf("CI=%q: %+v", ci, got)
		}
	}
	if got := Lack("/", "/nonexistent/libplain.so"); got !=
		"no /nonexistent/libplain.so: install libsasl2-modules (tests/setup.sh does)" {
		t.Errorf("Lack says %q", got)
	}
	if got := Lack("/", "/pro?/self/stat"); got != "" {
		t.Errorf("Lack of nothing says %q", got)
	}
}

// A line of the table is a program or a file, a package, and perhaps `beside` or `trixie`.
func TestPackages(t *testing.T) {
	for line := range strings.Lines(packages) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0 || f[0] == "#":
		case len(f) == 2 && (strings.HasPrefix(f[0], "/") || !strings.Contains(f[0], "/")):
		case len(f) == 3 && (f[2] == "beside" || f[2] == "trixie") &&
			strings.HasPrefix(f[0], f[1]+"/"):
		default:
			t.Errorf("%q", line)
		}
	}
}

// A log keeps messages in the form of syslog(3), and others.
func TestLog(t *testing.T) {
	dir := t.TempDir()
	l, err := NewLog(filepath.Join(dir, "copy"))
	if err == nil {
		err = l.Listen(filepath.Join(dir, "s"))
	}
	if err != nil {
		t.Fatal(err)
	}
	to, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(to)
	for _, datagram := range []string{"<22>Nov 21 02:40:00 a[1]: one\n", "<19>a[2]: two\x00",
		"three"} {
		err := unix.Sendto(to, []byte(datagram), 0,
			&unix.SockaddrUnix{Name: filepath.Join(dir, "s")})
		if err != nil {
			t.Fatal(err)
		}
	}
	got := l.Wait(regexp.MustCompile(``), 3)
	l.Close()
	want := []string{"mail.info a[1]: one", "mail.err a[2]: two", `not a syslog line: "three"`}
	if !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	if got := l.Containing("mail.", "two"); !slices.Equal(got, want[1:2]) {
		t.Errorf("with both words: %q", got)
	}
	text, err := os.ReadFile(filepath.Join(dir, "copy"))
	if err != nil || string(text) != strings.Join(want, "\n")+"\n" {
		t.Errorf("the copy is %q, %v", text, err)
	}
}

// A thread has namespaces of its own, and the process keeps its own.
func TestThread(t *testing.T) {
	NeedRoot(t)
	of := func(kind string) (name string) {
		name, _ = os.Readlink("/proc/thread-self/ns/" + kind)
		return name
	}
	var threads []*Thread
	for range 8 { // one of them is asked for on the main thread sooner or later
		thread, err := NewThread(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
		if err != nil {
			t.Fatal(err)
		}
		defer thread.Close()
		threads = append(threads, thread)
	}
	for _, kind := range []string{"net", "mnt"} {
		main, _ := os.Readlink("/proc/self/ns/" + kind)
		seen := []string{main}
		for _, thread := range threads {
			var its string
			thread.Do(func() { its = of(kind) })
			if its == "" || slices.Contains(seen, its) {
				t.Errorf("%s: %q is not a thread's own", kind, its)
			}
			seen = append(seen, its)
		}
	}
}

// startShell starts a script as a daemon. said is what it has printed so far.
func startShell(t *testing.T, script string) (d *Daemon, said func() string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	d, err := Start(exec.Command("sh", "-c", script), out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.KillAll)
	return d, func() string { text, _ := os.ReadFile(out); return string(text) }
}
