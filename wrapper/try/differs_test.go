package try

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// The show notices a sendwrap that does something else, scene by scene.
func TestShowFindsOut(t *testing.T) {
	tests := []struct {
		role, verdict string
		want          []string
	}{
		{"a sendwrap that lets everyone through", "21 of 21 scenes did not go as expected",
			[]string{
				// In the order of the scenes, then of all.
				"\n  ! 220 came after ", "; want at least 9.00s\n",
				"; want 554 5.5.1\n",
				"; want nothing\n",
				"; want 554 5.7.1\n",
				"\n  ! 20 saw 220; want 5\n",
				"\n  ! 15 saw 220; want 10\n",
				"; want 421 4.7.1\n",
				"\n  ! the ledger counts none; want ",
			}},
		{"a sendwrap that denies everyone", "21 of 21 scenes did not go as expected",
			[]string{"\n  ! saw \"554 5.7.1 no\"; want 220\n"}},
		{"a sendwrap that crashes", "21 of 21 scenes did not go as expected",
			[]string{": exit status 3\n", "\n  ! saw \"closed without a reply\"; want 220\n",
				"\n  ! and "}},
	}
	for _, tt := range tests { // none of them makes anybody wait
		t.Run(tt.role, func(t *testing.T) {
			findsOut(t, tt.role, "9s", Options{}, tt.verdict, tt.want)
		})
	}
}

// findsOut runs the show with a program that only pretends to be sendwrap, which it must notice.
func findsOut(t *testing.T, role, delay string, o Options, verdict string, want []string) {
	t.Helper()
	var err error
	o.Program, o.File = itself(t, role), write(t, "greet_delay "+delay)
	if o.Config, err = config.Load(o.File, allowlist.All()); err != nil {
		t.Fatal(err)
	}
	o.Config.MTA = nil
	t.Setenv("TMPDIR", tempDir(t))
	t.Setenv("PATH", "/nonexistent") // no m4: the stand-in asks the guard
	before := runtime.NumGoroutine()
	var out bytes.Buffer
	o.Out, o.Status = &out, func(file string) error {
		if _, err := os.Stat(file); err != nil {
			t.Errorf("status of a configuration that is gone: %v", err)
		}
		out.WriteString("the status\n")
		return nil
	}
	if err := Run(o); !errors.Is(err, ErrUnexpected) {
		t.Errorf("error %v; want %v", err, ErrUnexpected)
	}
	if want := "\nthe status\n\n" + verdict + "\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("does not end in %q", want)
	}
	for _, want := range want {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	nothingLeft(t, os.Getenv("TMPDIR"))
	// Timers and the signal watcher end a moment later.
	deadline := time.Now().Add(ample)
	for ; runtime.NumGoroutine() > before+1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines; there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// A process that hangs is killed, so that the show goes on.
func TestSceneIsGivenUp(t *testing.T) {
	s, err := open(Options{Program: itself(t, "a sendwrap that hangs")}, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.patience, s.exitTime = 100*time.Millisecond, 5*time.Second
	sc := single(patient, "waits", (*client).wait, outcome{reply: greeted, clients: 1}, decide.Pass)
	seen, err := s.play(t.Context(), sc)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(seen.problems, "\n")
	for _, want := range []string{
		`saw "nothing"; want 220`, "i/o timeout", "1 of 1 processes did not end",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := running(s.server.(*superServer)); n != 0 {
		t.Errorf("%d processes left", n)
	}
}

// What is late on a fast machine is not late on a slow one.
func TestSlow(t *testing.T) {
	for slow, late := range map[bool]bool{false: true, true: false} {
		o := Options{Program: itself(t, "a sendwrap that is late"), Slow: slow}
		s, err := open(o, "127.0.0.1:0", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		s.patience = ample
		sc := single(patient, "is late", (*client).wait, s.servedPromptly(), decide.Pass)
		seen, err := s.play(t.Context(), sc)
		got := strings.Contains(fmt.Sprint(seen.problems), "220 came after ")
		if got != late || err != nil {
			t.Errorf("slow %v: %q, %v; want late %v", slow, seen.problems, err, late)
		}
	}
}

// Signals and a closed pipe end the show early. Nothing is left behind.
func TestShowIsInterrupted(t *testing.T) {
	program := built()
	kill := func(sig syscall.Signal) func(*os.Process, io.Closer) error {
		return func(p *os.Process, _ io.Closer) error { return p.Signal(sig) }
	}
	leave := func(_ *os.Process, out io.Closer) error { return out.Close() }
	tests := []struct {
		name string
		end  func(*os.Process, io.Closer) error
		args []string
	}{
		{"SIGINT", kill(syscall.SIGINT), nil},
		{"SIGTERM", kill(syscall.SIGTERM), nil},
		{"SIGHUP", kill(syscall.SIGHUP), nil},
		{"broken pipe", leave, nil},
		{"SIGTERM in a room", kill(syscall.SIGTERM), []string{"-room"}},
		{"broken pipe in a room", leave, []string{"-room"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tmp := tempDir(t)
			cmd := exec.Command(program, append([]string{"try"}, tt.args...)...)
			cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(out)
			for line := ""; line != "\n"; {
				if line, err = in.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := in.ReadByte(); err != nil {
				t.Fatal(err)
			}
			// into the first scene, in which a client waits for 3 s
			time.Sleep(200 * time.Millisecond)
			if err := tt.end(cmd.Process, out); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 111 { // it is 0 after all scenes
				t.Errorf("%v; want exit status 111", err)
			}
			nothingLeft(t, tmp)
		})
	}
}
