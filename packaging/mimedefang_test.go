package packaging

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// It becomes part of a site's filter, with or without `use strict`.
func TestMimedefangSyntax(t *testing.T) {
	perl := lab.NeedProgram(t, "perl")
	for _, args := range [][]string{{"-c"}, {"-Mstrict", "-Mwarnings=FATAL,all", "-c"}} {
		out, err := exec.Command(perl, append(args, "mimedefang-filter")...).CombinedOutput()
		if err != nil || string(out) != "mimedefang-filter syntax OK\n" {
			t.Errorf("perl %q: %v\n%s", args, err, out)
		}
	}
}

// A rejected recipient is a strike, in a real ledger, if sendmail's macros say that the user is
// unknown.
func TestMimedefangStrikes(t *testing.T) {
	t.Parallel()
	conf := door(t, "block strikes=8 within=24h")
	tests := []struct {
		ip                 string
		mailer, host, addr string // "undef" is Perl's
		strikes            int
	}{
		{"192.0.2.1", "error", "5.1.1", "550 5.1.1 User unknown", 1},
		{"2001:db8::1", "error", "5.1.1", "550 5.1.1 User unknown", 1},
		{"192.0.2.2", "error", "nouser", "550 no such user here", 1},
		{"192.0.2.3", "error", "?", "jdoe", 1}, // sendmail's macros for an unknown jdoe+detail
		{"192.0.2.4", "error", "?", "4you", 1}, // the name, not a reply code
		{"192.0.2.5", "error", "4.3.0", "451 4.3.0 Temporary system failure", 0},
		{"192.0.2.6", "error", "tempfail", "450 try again", 0},
		{"192.0.2.7", "error", "4.2.1", "?", 0},
		{"192.0.2.8", "error", "?", "?", 0},
		{"192.0.2.9", "error", "undef", "undef", 0},
		{"192.0.2.10", "local", "?", "5jdoe", 0},
		{"192.0.2.11", "esmtp", "5.1.1", "550 5.1.1 User unknown", 0},
		{"192.0.2.12", "undef", "5.1.1", "550 5.1.1 User unknown", 0},
		{"192.0.2.13", "?", "5.1.1", "550 5.1.1 User unknown", 0},
	}
	var calls []string
	for _, tt := range tests {
		calls = append(calls, call(tt.ip, tt.mailer, tt.host, tt.addr))
	}
	for range 3 {
		calls = append(calls, call("192.0.2.14", "error", "5.1.1", "550"))
	}
	runPerl(t, []string{program(), "strike", "-f", conf}, calls).wait()
	strikes := func(client string) (n int) {
		out := must(t, program(), "check", "-f", conf, client)
		if _, after, found := strings.Cut(out, "strikes in the last day: "); found {
			fmt.Sscanf(after, "%d", &n)
		}
		return n
	}
	for _, tt := range tests {
		if n := strikes(tt.ip); n != tt.strikes {
			t.Errorf("%q %q %q: %d strikes; want %d", tt.mailer, tt.host, tt.addr, n, tt.strikes)
		}
	}
	if n := strikes("192.0.2.14"); n != 3 {
		t.Errorf("three rejected recipients of one client: %d strikes", n)
	}
}

// The command gets only an address from a call, and no shell reads it.
func TestMimedefangHostile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	called := filepath.Join(dir, "called")
	program := filepath.Join(dir, "program")
	write(t, program, "#!/bin/sh\n{ printf '<%s>' \"$@\"; echo; } >>"+called+"\n", 0o755)
	hack := "; touch " + dir + "/hacked; "
	var calls []string
	for _, ip := range []string{
		"", "?", "undef", "-f", "--", "-f/etc/passwd", "192.0.2.1" + hack,
		"$(touch " + dir + "/hacked)",
		"`touch " + dir + "/hacked`", "|touch " + dir + "/hacked", "192.0.2.1\n",
		"192.0.2.1 192.0.2.2",
		"[192.0.2.1]", "localhost", "192.0.2.1\x00", "unix:/run/x",
	} {
		calls = append(calls, call(ip, "error", "5.1.1", "550 5.1.1 User unknown"))
	}
	// The command gets no other argument of a call.
	calls = append(calls, call("192.0.2.99", "error", "5.1.1"+hack, "550 $(touch "+dir+"/hacked)"))
	runPerl(t, []string{program, "a b", "*"}, calls).wait()
	if got, want := read(t, called), "<a b><*><192.0.2.99><bad_recipient>\n"; got != want {
		t.Errorf("called with %q; want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("a shell has run an argument")
	}
}

// Mail does not wait for the command, however long it runs, nor fail if the command does not exist.
func TestMimedefangNoWait(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program, runs := filepath.Join(dir, "program"), filepath.Join(dir, "runs")
	end := filepath.Join(dir, "end")
	// Its output must not reach MIMEDefang, which reads answers from the filter's standard output.
	// It ends when the file end exists.
	write(t, program, "#!/bin/sh\necho noise\necho noise >&2\nread nothing\necho >>"+runs+
		"\nuntil test -e "+end+"; do sleep 0.1; done\n", 0o755)
	defer write(t, end, "", 0o644)
	for _, command := range []string{program, "/nonexistent/program", dir} {
		one := call("192.0.2.1", "error", "5.1.1", "550")
		commands := runPerl(t, []string{command}, []string{one, one})
		if command == program {
			lab.Eventually(t, "both run", func() bool {
				text, _ := os.ReadFile(runs)
				return string(text) == "\n\n"
			})
			write(t, end, "", 0o644)
		}
		commands.wait()
	}
}

// call is a call of filter_recipient, as MIMEDefang makes it.
func call(ip, mailer, host, addr string) string {
	var args []string
	const rcpt, from = "<nobody@example.org>", "<s@example.com>"
	for _, arg := range []string{rcpt, from, ip, "unknown", rcpt, "bot", mailer, host, addr} {
		if arg == "undef" {
			args = append(args, arg)
			continue
		}
		args = append(args, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(arg)+"'")
	}
	return "filter_recipient(" + strings.Join(args, ", ") + ")"
}

// commands are the commands that a filter has started. They inherit a pipe, which ends when all of
// them have ended.
type commands struct {
	t    *testing.T
	pipe *os.File
	end  string // a file, to which each process that gets to the end of the calls appends an x
}

// runPerl makes perl load the filter and make the calls. Each must let the MTA go on, print nothing
// and keep $?. runPerl returns when perl has ended, which must not wait for the commands.
func runPerl(t *testing.T, command, calls []string) commands {
	t.Helper()
	dir := t.TempDir()
	script, end := filepath.Join(dir, "calls.pl"), filepath.Join(dir, "end")
	text := "require './mimedefang-filter';\nour @sendwrap_strike = splice @ARGV;\n$? = 7;\n"
	for _, call := range calls {
		text += "print join('|', " + call + "), \" $?\\n\";\n"
	}
	write(t, script, text+"END { open(my $end, '>>', '"+end+"') or die; print $end 'x' }\n", 0o644)
	pipe, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close() })
	impatient, cancel := context.WithTimeout(t.Context(), lab.Patience)
	defer cancel()
	args := append([]string{script}, command...)
	cmd := exec.CommandContext(impatient, lab.NeedProgram(t, "perl"), args...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.WaitDelay = lab.Patience // if a command has kept our output open
	out, err := cmd.CombinedOutput()
	theirs.Close()
	if want := strings.Repeat("CONTINUE|ok 7\n", len(calls)); err != nil || string(out) != want {
		t.Fatalf("perl: %v\n%s\nwant\n%s", err, out, want)
	}
	return commands{t, pipe, end}
}

// wait waits until all commands and all forks of perl have ended.
func (c commands) wait() {
	c.t.Helper()
	_ = c.pipe.SetReadDeadline(time.Now().Add(lab.Patience))
	if _, err := c.pipe.Read(make([]byte, 1)); err != io.EOF {
		c.t.Fatalf("the commands do not end: %v", err)
	}
	if n := len(read(c.t, c.end)); n != 1 {
		c.t.Errorf("%d processes have got to the end of the calls; want one", n)
	}
}
