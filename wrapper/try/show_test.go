package try

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// The show as a user types it, of sendwrap as it is, with configurations that are hard to show.
// Nothing is left behind.
func TestShow(t *testing.T) {
	program := built()
	tests := []struct {
		name, conf string // "" = built in
		want       []string
	}{
		{"built in", "", []string{
			"MTA a stand-in; mail goes nowhere\nsuper-server 127.0.0.1:",
			", starts sendwrap for each client\nguard process ",
			"\n\n127.1.0.1 waits, ",
			" 20 at once, client_conns 5 5× 220, 15× 421 4.7.0 5 PASS, 15 CONNS ",
			" waits this time, but is blocked 421 4.7.1 [127.8.0.1] is blocked … BLOCKED ",
			" mistypes a name, delivers 220 ",
			" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" does so again: a strike was the first ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" comes back, but is blocked 421 4.7.1 [127.11.0.1] is blocked… BLOCKED ",
			" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… 1 BADRCPTS, 1 PASS, 9 KNOWN ",
			"\n PREGREET 4\n",
			"\nall 18 scenes went as they should\n",
		}},
		{"what cannot be shown", `
			greet_delay 0s
			on_pregreet tempfail
			client_rate 3/2m
			client_conns 2
			max_sessions 1
			max_waiting 1
			refuse_load 0.01
			count_by 8 64
			remember 2s
			block strikes=2 within=1s for=1s max=1s
			bad_rcpts 2
			bad_rcpts_percent 100
			bad_rcpts_total 5/1m
			bad_rcpt_delay 5s
			max_rcpts 1
			max_resets 1
			guard_listen 127.0.0.1:1
			on_block /bin/false
			transcript /nonexistent/transcripts
			mode observe
			log stderr
			ledger /nonexistent/directory/ledger clients=2000
			deny 127.0.0.0/8
			mta ` + program + ` try -mta
			`, []string{
			"; the show's own are ledger, log, mode, networks, guard_listen, greet_delay 1s, remember 1m, block within 1m, block for 1m, max_sessions 40, max_waiting 40, count_by 16 64, refuse_load 0, on_block off, transcript off\n",
			" speaks before the greeting 421 4.5.1 ",
			" 20 at once, client_conns 2 2× 220, 18× 421 4.7.0 ",
			" 8 in a row, client_rate 3/2m 3× 220, 5× 421 4.7.0 ",
			" speaks too soon, strike 2 of 2 421 4.5.1 ",
			" guesses names, bad_rcpts 2 ended at guess 2, learned nothing ",
			" 1 each, bad_rcpts_total 5/1m 4× 550 5.1.1, 1× ended at guess 1… ",
			"\nall 18 scenes went as they should\n",
		}},
		{"what is off, and an MTA that is there", `
			greet_delay 1s
			teaser "one moment"
			on_pregreet drop
			remember 0
			block off
			bad_rcpts 0
			bad_rcpts_total 0
			mta ` + program + ` try -mta
			`, []string{
			"\nMTA " + program + " try -mta\n",
			"\n postmaster gets two mails\n",
			" comes back (remember is 0) 220 ESMTP stand-in PASS ",
			" speaks before the greeting closed without a word PREGREET ",
			" 15 in a row, client_rate 10/1m 10× 220, 5× 421 4.7.0 10 PASS, 5 RATE ",
			" guesses names, bad_rcpts 3 ended at guess 3, learned nothing 1 BADRCPTS, 1 PASS ",
			" comes back, block is off 220 ",
			" 1 each, bad_rcpts_total 10/1h 9× 550 5.1.1, 1× ended at guess 1… 1 BADRCPTS, 10 PASS ",
			"\n192.0.2.77 wants a relay to elsewhere 550 5.1.1 user unknown ALLOWED ",
			"\n to a mail for relay@try.example it says: 550 5.1.1 user unknown\n",
			"\nall 16 scenes went as they should\n",
		}},
		{"a denied client is talked to, and to be early is no strike", `
			greet_delay 1s
			on_denied talk
			strikes_by_kind ehlo=0
			mta ` + program + ` try -mta
			`, []string{
			" is denied, hears so at RCPT 220, then 550 5.7.1 DENIED ",
			" speaks too soon, is no strike 554 5.5.1 ",
			" waits this time 220 ",
			" comes back, but is blocked 421 4.7.1 ",
			"\nall 17 scenes went as they should\n",
		}},
		{"to be early is two strikes", `
			greet_delay 1s
			strikes_by_kind ehlo=2
			mta ` + program + ` try -mta
			`, []string{
			" speaks too soon, strike 2 of 3 ",
			" speaks too soon, strike 3 of 3 ",
			"\nall 18 scenes went as they should\n",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			shows(t, program, tt.conf, []string{"-slow"}, tt.want)
		})
	}
}

// shows runs the show, which must go well and say what is wanted.
func shows(t *testing.T, program, conf string, args, want []string) {
	t.Helper()
	args = append([]string{"try"}, args...)
	if conf != "" {
		args = append(args, "-f", write(t, conf))
	}
	showsAs(t, exec.Command(program, args...), want)
}

// showsAs is the same for a command that is the show in the end.
func showsAs(t *testing.T, cmd *exec.Cmd, want []string) {
	t.Helper()
	tmp := tempDir(t)
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v; want exit status 0", err)
	}
	for _, want := range want {
		if !strings.Contains(spaces.ReplaceAllString(string(out), " "), want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	nothingLeft(t, tmp)
}

// spaces are what the columns of a line are apart.
var spaces = regexp.MustCompile(" +")

func write(t *testing.T, conf string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sendwrap.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// nothingLeft looks for files in the temporary directory of a show, and for processes that were
// started with one of them.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%s holds %v, %v; want nothing", dir, entries, err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(processes) == 0 {
		t.Fatalf("no processes: %v", err)
	}
	for _, file := range processes {
		if argv, err := os.ReadFile(file); err == nil && bytes.Contains(argv, []byte(dir+"/")) {
			t.Errorf("%s: %q is still there", file, argv)
		}
	}
}

// A sendwrap that does something else is found out, scene by scene.
func TestShowFindsOut(t *testing.T) {
	tests := []struct {
		is, verdict string
		want        []string
	}{
		{"a sendwrap that lets everyone through", "18 of 18 scenes did not go as they should", []string{
			// In the order of the scenes, then of all.
			"\n  ! 220 came after ", "; want no less than 9.00s\n",
			"; want 554 5.5.1\n",
			"; want nothing\n",
			"; want 554 5.7.1\n",
			"\n  ! 20 saw 220; want 5\n",
			"\n  ! 15 saw 220; want 10\n",
			"; want 421 4.7.1\n",
			"\n  ! the ledger counts none; want ",
		}},
		{"a sendwrap that denies everyone", "18 of 18 scenes did not go as they should", []string{"\n  ! saw \"554 5.7.1 no\"; want 220\n"}},
		{"a sendwrap that crashes", "18 of 18 scenes did not go as they should", []string{": exit status 3\n", "\n  ! saw \"closed without a word\"; want 220\n", "\n  ! and "}},
	}
	for _, tt := range tests { // none of them makes anybody wait
		t.Run(tt.is, func(t *testing.T) {
			findsOut(t, tt.is, "9s", Options{}, tt.verdict, tt.want)
		})
	}
}

// findsOut runs the show of a sendwrap that is something else, and wants to be told so.
func findsOut(t *testing.T, is, delay string, o Options, verdict string, want []string) {
	t.Helper()
	var err error
	o.Program, o.File = itself(t, is), write(t, "greet_delay "+delay)
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
	for deadline := time.Now().Add(ample); runtime.NumGoroutine() > before+1; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines; there were %d", runtime.NumGoroutine(), before)
		}
	}
}

// A process that hangs is given up, and killed, so that the show goes on.
func TestSceneIsGivenUp(t *testing.T) {
	s, err := open(Options{Program: itself(t, "a sendwrap that hangs")}, "127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.patience, s.ending = 100*time.Millisecond, 5*time.Second
	sc := one(patient, "waits", (*client).wait, outcome{reply: greeted, clients: 1}, decide.Pass)
	seen, err := s.play(t.Context(), sc)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(seen.wrong, "\n")
	for _, want := range []string{`saw "nothing"; want 220`, "i/o timeout", "1 of 1 processes did not end"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if n := running(s.server.(*superServer)); n != 0 {
		t.Errorf("%d processes left", n)
	}
}

// What is late on a quick machine is not on a slow one.
func TestSlow(t *testing.T) {
	for slow, late := range map[bool]bool{false: true, true: false} {
		o := Options{Program: itself(t, "a sendwrap that is late"), Slow: slow}
		s, err := open(o, "127.0.0.1:0", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		s.patience = ample
		sc := one(patient, "is late", (*client).wait, s.served(), decide.Pass)
		seen, err := s.play(t.Context(), sc)
		if got := strings.Contains(fmt.Sprint(seen.wrong), "220 came after "); got != late || err != nil {
			t.Errorf("slow %v: %q, %v; want late %v", slow, seen.wrong, err, late)
		}
	}
}

// Signals, and nobody who reads on, end the show early; then too nothing is left behind.
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
			time.Sleep(200 * time.Millisecond) // into the first scene, in which a client waits for 3 s
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

// -listen serves until it is told to end.
func TestListen(t *testing.T) {
	s := tryListening(t)
	conn := s.slam("127.0.0.1")
	if got, want := s.line(conn.LocalAddr().String()), ": exit status 0"; !strings.HasSuffix(got, want) {
		t.Errorf("%q; want it to end in %q", got, want)
	}
	s.logs(": PREGREET client=[127.0.0.1]:")
	if text := s.status(); !strings.Contains(text, "PREGREET                1\n") {
		t.Errorf("status:\n%s", text)
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("%v; want exit status 0", err)
	}
	nothingLeft(t, s.tmp)
}

// listening is a try -listen, and the end of its output.
type listening struct {
	*testing.T
	tmp   string
	cmd   *exec.Cmd
	in    *bufio.Scanner
	log   *syncBuffer
	where string   // its second line: super-server or room
	guard string   // the line about it
	port  string   // at 127.0.0.1
	asks  []string // for its status
}

func tryListening(t *testing.T, args ...string) *listening {
	t.Helper()
	program := built()
	s := &listening{T: t, tmp: tempDir(t), log: new(syncBuffer)}
	s.cmd = exec.Command(program, append([]string{"try", "-listen", ":0"}, args...)...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp)
	s.cmd.Stderr = s.log
	s.cmd.WaitDelay = ample // an MTA that outlives it has our pipe
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	killer := time.AfterFunc(2*ample, func() { s.cmd.Process.Kill() }) // all it is waited for comes within seconds
	t.Cleanup(func() { killer.Stop() })
	s.in = bufio.NewScanner(out)
	s.line("MTA ")
	s.where = s.line("")
	s.guard = strings.Join(strings.Fields(s.line("guard ")), " ")
	s.port = strings.Fields(s.line("nc 127.0.0.1 "))[2]
	s.asks = strings.Fields(s.line(program + " status -f "))
	return s
}

// line is the next line with that beginning.
func (s *listening) line(beginning string) string {
	s.Helper()
	for s.in.Scan() {
		if strings.HasPrefix(s.in.Text(), beginning) {
			return s.in.Text()
		}
	}
	s.Fatalf("no line that begins with %q; log %q", beginning, s.log)
	return ""
}

// dial comes from an address.
func (s *listening) dial(from string) net.Conn {
	s.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: ample}
	conn, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", s.port))
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(ample))
	return conn
}

// slam comes, speaks before the greeting, and is refused.
func (s *listening) slam(from string) net.Conn {
	s.Helper()
	conn := s.dial(from)
	io.WriteString(conn, "EHLO early\r\n")
	if reply, err := io.ReadAll(conn); err != nil || !bytes.HasPrefix(reply, []byte("554 5.5.1 ")) {
		s.Errorf("reply %q, %v; want 554 5.5.1", reply, err)
	}
	return conn
}

// logs waits for a text in the log.
func (s *listening) logs(want string) {
	s.Helper()
	for deadline := time.Now().Add(ample); !strings.Contains(s.log.String(), want); {
		if time.Now().After(deadline) {
			s.Fatalf("log %q; want %q", s.log, want)
		}
		time.Sleep(time.Millisecond) // os/exec copies it
	}
}

// status is what the command says that the hints name.
func (s *listening) status(args ...string) string {
	s.Helper()
	text, err := exec.Command(s.asks[0], append(s.asks[1:], args...)...).CombinedOutput()
	if err != nil {
		s.Errorf("status: %v\n%s", err, text)
	}
	return string(text)
}

// syncBuffer is a bytes.Buffer that may be read while os/exec writes to it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
