package try

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-milter"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// theReal names the variable with the path of the real sendwrap, for a fake of which only the guard
// differs.
const theReal = "SENDWRAP_TRY_TEST_REAL"

// playGuard is sendwrap, except for `sendwrap guard`.
func playGuard(role string) {
	if os.Args[1] != "guard" {
		err := syscall.Exec(os.Getenv(theReal), os.Args, os.Environ())
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	cfg, err := config.Load(os.Args[3], allowlist.All())
	if cfg == nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	g := &scripted{}
	switch role {
	case "a guard that does not start":
		fmt.Fprintln(os.Stderr, "sendwrap guard: not today")
		syscall.Exit(7)
	case "a guard that always says no":
		g.answers = map[string]milter.Response{"rcpt": replies(421, "4.7.0 no")}
	case "a guard that says no to wrong names":
		no := replies(421, "4.7.0 no")
		g.answers = map[string]milter.Response{"rcpt <a": no, "rcpt <postmastre>": no}
	}
	l, err := net.Listen(cfg.GuardListen.Network, cfg.GuardListen.Address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(1)
	}
	_ = g.server().Serve(l)
}

// A guard that does something else fails its own scenes, and no other.
func TestShowFindsOutGuard(t *testing.T) {
	t.Setenv(theReal, built())
	const atFirst = "  ! saw \"ended at guess 1, learned nothing\"; " +
		"want ended at guess 3, learned nothing\n"
	tests := []struct {
		role, verdict string
		want          []string
	}{
		{"a guard that never says no", "5 of 21 scenes did not go as expected", []string{
			"  ! saw \"6 guesses, learned info\"; want ended at guess 3, learned nothing\n",
			"  ! the ledger counts PASS; want 1 BADRCPTS, 1 PASS\n",
			"ESMTP stand-in\"; want 421 4.7.1\n",
			"  ! 10 saw 550 5.1.1; want 9\n",
			"  ! the ledger counts 1 PASS, 9 KNOWN; want 1 BADRCPTS, 10 PASS or KNOWN\n",
		}},
		{"a guard that always says no", "8 of 21 scenes did not go as expected", []string{
			"  ! RCPT TO:<postmaster>: replied \"421 4.7.0 no\"; want 250\n",
			atFirst,
		}},
		{"a guard that says no to wrong names", "6 of 21 scenes did not go as expected", []string{
			"  ! RCPT TO:<postmaster>: ",
			atFirst,
			"  ! 10 saw ended at guess 1, learned nothing; want 1\n",
		}},
		{"a guard that does not start", "6 of 21 scenes did not go as expected", []string{
			"  ! the guard ended unexpectedly after ",
			": exit status 7: sendwrap guard: not today\n",
			"  ! saw \"6 guesses, learned info\"; want ended at guess 3, learned nothing\n",
		}},
	}
	for _, tt := range tests { // slow: the scenes at the door are to go as they should
		t.Run(tt.role, func(t *testing.T) {
			findsOut(t, tt.role, "1s", Options{Slow: true}, tt.verdict, tt.want)
		})
	}
}

// The show does not wait for ever for a guard that does not listen.
func TestGuardIsNotReady(t *testing.T) {
	dir := tempDir(t)
	file := filepath.Join(dir, "sendwrap.conf")
	at := policy.Listen{Network: "unix", Address: filepath.Join(dir, "guard.sock")}
	g, err := openGuard(itself(t, "a sendwrap that hangs"), file, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	const want = "the guard cannot be reached after 100ms: "
	err = g.waitReady(t.Context(), 100*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; want %q", err, want)
	}
	if err := g.failure(); err != nil {
		t.Errorf("%v, of one that goes on", err)
	}
	g.close()
	if err := g.process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("it is still there: %v", err)
	}
}

// A dictionary attack by hand, on try -listen: the guard ends it and logs it, and then the client
// is blocked.
func TestListenHasGuard(t *testing.T) {
	for _, args := range [][]string{nil, {"-room"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			s := tryListening(t, args...)
			s.awaitGuard()
			from := addressOf(guesser).String()
			for range 2 { // the first is a strike: the door knows who has waited
				conn := s.dial(from)
				in := bufio.NewReader(conn)
				var got []string
				for _, line := range []string{
					"", "HELO c", "MAIL FROM:<c@try.example>",
					"RCPT TO:<aaron>", "RCPT TO:<abby>", "RCPT TO:<adam>",
				} {
					if line != "" {
						io.WriteString(conn, line+"\r\n")
					}
					reply, _ := in.ReadString('\n')
					got = append(got, strings.TrimRight(reply, "\r\n"))
				}
				if got, want := codes(got), "220 250 250 550 550 550"; got != want {
					t.Errorf("replies %s; want %s", got, want)
				}
				rest, err := io.ReadAll(in)
				if len(rest) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("then %q, %v; want the end", rest, err)
				}
				s.logs(": BADRCPTS client=[127.11.0.1]:")
			}
			again, err := bufio.NewReader(s.dial(from)).ReadString('\n')
			if err != nil || !strings.HasPrefix(again, blocked) {
				t.Errorf("then %q, %v; want %s", again, err, blocked)
			}
			s.cmd.Process.Signal(syscall.SIGTERM)
			if err := s.cmd.Wait(); err != nil {
				t.Errorf("%v; want exit status 0\n%s", err, s.log)
			}
			nothingLeft(t, s.tmp)
		})
	}
}

// A guard that dies is an error.
func TestListenWithGuardThatDies(t *testing.T) {
	s := tryListening(t)
	s.awaitGuard()
	var pid int
	if _, err := fmt.Sscanf(s.guard, "guard process %d, asked by the stand-in", &pid); err != nil {
		t.Fatalf("no pid in %q", s.guard)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := s.cmd.Wait()
	if code := s.cmd.ProcessState.ExitCode(); code != 111 {
		t.Errorf("%v; want exit status 111", err)
	}
	s.logs("sendwrap try: the guard ended unexpectedly after ")
	nothingLeft(t, s.tmp)
}

// awaitGuard waits until MTAs reach it.
func (s *listening) awaitGuard() {
	s.Helper()
	file := s.asks[len(s.asks)-1]
	at := filepath.Join(filepath.Dir(file), guardSocket)
	for deadline := time.Now().Add(ample); ; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("unix", at); err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("no guard at %s; log %q", at, s.log)
		}
	}
}

// If the path is too long for a socket, another directory is used.
func TestLongTemporaryDirectory(t *testing.T) {
	long := filepath.Join(tempDir(t), strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", long)
	dir, err := makeDir()
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(dir)
	l, err := net.Listen("unix", filepath.Join(dir, guardSocket))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}
