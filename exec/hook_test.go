package exec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// hooks are for a process in which only Run reaps.
func hooks(t *testing.T) *Hooks {
	t.Helper()
	h, err := NewHooks(nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// hookScript is a shell script in a directory of its own, ${0%/*}.
func hookScript(t *testing.T, does string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+does+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(string(text))
}

// A hook inherits only what the documentation of Hooks says.
func TestHookInherits(t *testing.T) {
	lab.NeedProgram(t, "ps")
	fd, err := unix.Dup(0) // not close-on-exec, like a descriptor of our parent
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	const someSignal = 40
	ignore(someSignal)
	h := hooks(t)
	path := hookScript(t, `d=${0%/*}
ls -l /proc/self/fd >$d/fds; pwd >$d/cwd
cat /proc/self/environ >$d/environ; cat /proc/self/status >$d/status
ps -o pid=,pgid=,sid= -p $$ >$d/ids; printf '%s|' "$0" "$@" >$d/argv
head -c 10 >$d/stdin; ulimit -n >$d/nofile; sed 1q /proc/self/cmdline | tr '\0' ' '
(readlink /proc/$$/fd/1 /proc/$$/fd/2 >$d/outputs); exit 0`)
	environ := []string{"PATH=/usr/bin:/bin", "SENDWRAP_REASON=bad recipients"}
	if err := h.Run([]string{path, "one", "two words", ""}, environ, lab.Patience); err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return content(t, filepath.Join(filepath.Dir(path), name)) }
	links := map[string]string{}
	for _, m := range regexp.MustCompile(`(\d+) -> (\S+)`).FindAllStringSubmatch(in("fds"), -1) {
		links[m[1]] = m[2]
	}
	// 3 is ls's own
	if links["0"] != "/dev/null" || !strings.HasPrefix(links["2"], "pipe:") || len(links) != 4 {
		t.Errorf("descriptors %v; want /dev/null, the file, a pipe, and ls's own", links)
	}
	if out := strings.Fields(in("outputs")); len(out) != 2 || out[0] != out[1] ||
		!strings.HasPrefix(out[0], "pipe:") {
		t.Errorf("fds 1 and 2 are %q; want the same pipe", out)
	}
	if got := in("cwd"); got != "/" {
		t.Errorf("working directory %s", got)
	}
	env := strings.Split(strings.TrimSuffix(in("environ"), "\x00"), "\x00")
	// the shell's own
	env = slices.DeleteFunc(env, func(e string) bool { return strings.HasPrefix(e, "PWD=") })
	if !slices.Equal(env, environ) {
		t.Errorf("environment %q; want %q", env, environ)
	}
	if got, want := in("argv"), path+"|one|two words||"; got != want {
		t.Errorf("arguments %q; want %q", got, want)
	}
	if got := in("stdin"); got != "" {
		t.Errorf("stdin %q; want its end", got)
	}
	ids := strings.Fields(in("ids"))
	if len(ids) != 3 || ids[0] != ids[1] || ids[0] != ids[2] {
		t.Errorf("pid, process group and session %q; want all the same", ids)
	}
	for _, name := range []string{"SigBlk", "SigIgn"} {
		if !regexp.MustCompile(name + `:\s*0{16}\n`).MatchString(in("status") + "\n") {
			t.Errorf("signals are ignored or blocked:\n%s", in("status"))
		}
	}
}

// How hooks end, in one line.
func TestHookEnds(t *testing.T) {
	h := hooks(t)
	script := func(does string, mode os.FileMode) string {
		path := hookScript(t, does)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	others := script("exit 0", 0o755)
	if err := os.Chown(others, 4242, 4242); err != nil {
		t.Fatal(err)
	}
	// Run does not wait for processes that a hook leaves behind. They are in its process group.
	const stays = "sleep 600 & echo $$ >${0%/*}/group; "
	noInterpreter := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(noInterpreter, []byte("#!/nowhere/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, want string }{
		{script("echo all is well; exit 0", 0o755), ""},
		{script("exit 3", 0o755), "exit status 3"},
		{script("echo; echo '  no such table  ' >&2; echo more; exit 1", 0o755),
			"exit status 1: no such table"},
		{script("printf 'no line end'; exit 2", 0o755), "exit status 2: no line end"},
		{script("head -c 600 /dev/zero | tr '\\0' x; exit 1", 0o755), "exit status 1: " +
			strings.Repeat("x", 512)},
		{script("yes | head -c 10000000; exit 4", 0o755), "exit status 4: y"},
		{script("kill -9 $$", 0o755), "signal 9"},
		{script("echo last words; kill -SEGV $$", 0o755), "signal 11: last words"},
		{script("exec >&- 2>&-; sleep 0.3; exit 5", 0o755), "exit status 5"},
		{script(stays+"exit 0", 0o755), ""},
		{script(stays+"exit 6", 0o755), "exit status 6"},
		{"/nowhere/at/all", "exec /nowhere/at/all: no such file or directory"},
		{"/", "exec /: is a directory"},
		{script("exit 0", 0o644), "exec .*: permission denied: the file is not executable"},
		{script("exit 0", 0o757), "mode 0757 lets others write it; chmod go-w it"},
		{script("exit 0", 0o775), "mode 0775 lets others write it; chmod go-w it"},
		{others, "belongs to uid 4242; chown it to root"},
		{noInterpreter, "exec .*: its interpreter or loader does not exist: .*"},
		{"", `exec "": no such file or directory`},
	} {
		began := time.Now()
		err := h.Run([]string{tt.path}, nil, 2*lab.Patience)
		if took := time.Since(began); took > lab.Patience {
			t.Errorf("%s: %v", tt.want, took)
		}
		if text, err := os.ReadFile(filepath.Join(filepath.Dir(tt.path), "group")); err == nil {
			group, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Kill(-group, unix.SIGKILL); err != nil {
				t.Errorf("the process that the hook has left behind: %v", err)
			}
		}
		want := regexp.MustCompile("^(" + regexp.QuoteMeta(tt.path) + ": )?" + tt.want + "$")
		if (err == nil) != (tt.want == "") || err != nil && !want.MatchString(err.Error()) {
			t.Errorf("error\n  %v\nwant\n  %s", err, tt.want)
		}
	}
	if err := h.Run([]string{"/nowhere/at/all"}, nil, time.Second); !errors.Is(err, unix.ENOENT) {
		t.Errorf("missing: %v", err)
	}
}

// A hook that hangs is killed after its timeout, with the processes that it has started, even if it
// ignores signals. On a slow machine the timeout may be over too early: then a longer one is tried.
func TestHookHangs(t *testing.T) {
	for name, does := range map[string]string{
		"hangs": `sleep 601 & echo $! $$ >${0%/*}/pids; echo so far so good; sleep 602`,
		"ignores SIGTERM": `trap '' TERM HUP INT; sleep 601 & echo $! $$ >${0%/*}/pids; echo so ` +
			`far so good; sleep 602`,
		"never stops": `echo so far so good; yes & echo $! $$ >${0%/*}/pids; while :; do ` +
			`echo more; done`,
		"is stopped": `sleep 601 & echo $! $$ >${0%/*}/pids; echo so far so good; kill ` +
			`-STOP $$`,
	} {
		for patience := 700 * time.Millisecond; ; patience *= 2 {
			path := hookScript(t, does)
			began := time.Now()
			err := hooks(t).Run([]string{path}, []string{"PATH=/usr/bin:/bin"}, patience)
			took := time.Since(began)
			pids, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "pids"))
			want := fmt.Sprintf("%s: killed after %v, with all that it had started", path, patience)
			if patience < lab.Patience && (len(pids) == 0 || err != nil && err.Error() == want) {
				continue // too early
			}
			if want += ": so far so good"; err == nil || err.Error() != want || took < patience {
				t.Errorf("%s: after %v error\n  %v\nwant\n  %s", name, took, err, want)
			}
			for _, word := range strings.Fields(string(pids)) {
				pid, _ := strconv.Atoi(word)
				gone := func() bool { return !lab.Running(pid) }
				lab.Eventually(t, fmt.Sprintf("%s: process %d is gone", name, pid), gone)
			}
			break
		}
	}
}

// Without pidfds, the hook is polled.
func TestHookWithoutPidfd(t *testing.T) {
	h := hooks(t)
	// The process that it leaves behind keeps the pipe open, so that the pipe does not show its
	// end.
	path := hookScript(t,
		"echo a; sleep 600 & until test -e ${0%/*}/go; do sleep 0.01; done; exit 7")
	c, err := h.start(path, []string{"hook"}, []string{"PATH=/usr/bin:/bin"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	defer unix.Kill(-c.pid, unix.SIGKILL)
	if c.fd < 0 {
		t.Fatal("no pidfd: the other tests prove nothing")
	}
	unix.Close(c.fd)
	c.fd = -1
	if status, ended := c.wait(50 * time.Millisecond); ended {
		t.Errorf("it has ended too early, with %v", status)
	}
	writeFile(t, filepath.Join(filepath.Dir(path), "go"))
	status, ended := c.wait(lab.Patience)
	if !ended || status.ExitStatus() != 7 || string(c.output) != "a\n" {
		t.Errorf("ended %v, status %v, output %q", ended, status, c.output)
	}
}

// However a hook ends, no descriptor and no child is left.
func TestHookLeavesNothing(t *testing.T) {
	h := hooks(t)
	count := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	good, bad := hookScript(t, "exit 0"), hookScript(t, "exit 1")
	broken := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(broken, []byte("no program\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := count()
	for range 20 {
		for _, path := range []string{good, bad, broken, "/nowhere"} {
			_ = h.Run([]string{path}, nil, lab.Patience)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors; before there were %d", after, before)
	}
	if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("a child is left: %d, %v", pid, err)
	}
}
