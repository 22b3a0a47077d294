package packaging

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// It is part of somebody's filter, which may be strict or not.
func TestMimedefangSyntax(t *testing.T) {
	perl := need(t, "perl")
	for _, args := range [][]string{{"-c"}, {"-Mstrict", "-Mwarnings=FATAL,all", "-c"}} {
		out, err := osexec.Command(perl, append(args, "mimedefang-filter")...).CombinedOutput()
		if err != nil || string(out) != "mimedefang-filter syntax OK\n" {
			t.Errorf("perl %q: %v\n%s", args, err, out)
		}
	}
}

// What sendmail says of a recipient decides whether it is a strike: in a real ledger.
func TestMimedefangStrikes(t *testing.T) {
	t.Parallel()
	program, conf := door(t, "block strikes=8 within=1h")
	tests := []struct {
		ip                 string
		mailer, host, addr string // "undef" is none
		strikes            int
	}{
		{"192.0.2.1", "error", "5.1.1", "550 5.1.1 User unknown", 1},
		{"2001:db8::1", "error", "5.1.1", "550 5.1.1 User unknown", 1},
		{"192.0.2.2", "error", "nouser", "550 no such user here", 1},
		{"192.0.2.3", "error", "?", "jdoe", 1}, // so sendmail tells of an unknown jdoe+detail
		{"192.0.2.4", "error", "?", "4you", 1}, // of whom it means the name
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
	calls = append(calls, call("192.0.2.14", "error", "5.1.1", "550"), call("192.0.2.14", "error", "5.1.1", "550"), call("192.0.2.14", "error", "5.1.1", "550"))
	runPerl(t, []string{program, "strike", "-f", conf}, calls)
	for _, tt := range tests {
		if n := strikesOf(t, program, conf, tt.ip, tt.strikes); n != tt.strikes {
			t.Errorf("%q %q %q: %d strikes; want %d", tt.mailer, tt.host, tt.addr, n, tt.strikes)
		}
	}
	if n := strikesOf(t, program, conf, "192.0.2.14", 3); n != 3 {
		t.Errorf("three rejected recipients of one client: %d strikes", n)
	}
}

// The command is told nothing but an address, and no shell reads it.
func TestMimedefangHostile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	program := filepath.Join(dir, "program")
	write(t, program, "#!/bin/sh\nfor a; do printf '<%s>' \"$a\"; done >>"+told+"\necho >>"+told+"\n", 0o755)
	hack := "; touch " + dir + "/hacked; "
	var calls []string
	for _, ip := range []string{
		"", "?", "undef", "-f", "--", "-f/etc/passwd", "192.0.2.1" + hack, "$(touch " + dir + "/hacked)", "`touch " + dir + "/hacked`", "|touch " + dir + "/hacked",
		"192.0.2.1\n", "192.0.2.1 192.0.2.2", "[192.0.2.1]", "localhost", "192.0.2.1\x00", "unix:/run/x",
	} {
		calls = append(calls, call(ip, "error", "5.1.1", "550 5.1.1 User unknown"))
	}
	// All else of a call is never told.
	calls = append(calls, call("192.0.2.99", "error", "5.1.1"+hack, "550 $(touch "+dir+"/hacked)"))
	runPerl(t, []string{program, "a b", "*"}, calls)
	want := "<a b><*><192.0.2.99><bad_recipient>\n"
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got, _ := os.ReadFile(told); string(got) == want {
			break
		}
	}
	time.Sleep(200 * time.Millisecond) // for one that is too many
	if got := read(t, told); got != want {
		t.Errorf("called with %q; want %q", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "hacked")); err == nil {
		t.Error("an argument was run")
	}
}

// Mail does not wait for it, however long it takes, and whether or not it is there at all.
func TestMimedefangNoWait(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	// What it says must not reach MIMEDefang, who reads answers where we have standard output.
	write(t, program, "#!/bin/sh\necho noise\necho noise >&2\nread nothing\nexec sleep 3\n", 0o755)
	for _, command := range []string{program, "/nonexistent/program", filepath.Dir(program)} {
		began := time.Now()
		runPerl(t, []string{command}, []string{call("192.0.2.1", "error", "5.1.1", "550"), call("192.0.2.1", "error", "5.1.1", "550")})
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("%s: it took %v", command, d)
		}
	}
}

// call is filter_recipient, as MIMEDefang calls it.
func call(ip, mailer, host, addr string) string {
	var args []string
	for _, arg := range []string{"<nobody@example.org>", "<s@example.com>", ip, "unknown", "<nobody@example.org>", "bot", mailer, host, addr} {
		if arg == "undef" {
			args = append(args, arg)
			continue
		}
		args = append(args, "'"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(arg)+"'")
	}
	return "filter_recipient(" + strings.Join(args, ", ") + ")"
}

// runPerl has perl load the filter and make calls, each of which must say that the MTA is to go on, and do nothing that is seen from
// outside.
func runPerl(t *testing.T, command, calls []string) {
	t.Helper()
	script, end := filepath.Join(t.TempDir(), "calls.pl"), filepath.Join(t.TempDir(), "end")
	text := "require './mimedefang-filter';\nour @sendwrap_strike = splice @ARGV;\n$? = 7;\n"
	for _, call := range calls {
		text += "print join('|', " + call + "), \" $?\\n\";\n"
	}
	write(t, script, text+"END { open(my $end, '>>', '"+end+"') or die; print $end 'x' }\n", 0o644)
	cmd := osexec.Command(need(t, "perl"), append([]string{script}, command...)...)
	out, err := cmd.CombinedOutput()
	if want := strings.Repeat("CONTINUE|ok 7\n", len(calls)); err != nil || string(out) != want {
		t.Fatalf("perl: %v\n%s\nwant\n%s", err, out, want)
	}
	time.Sleep(100 * time.Millisecond)
	if n := len(read(t, end)); n != 1 {
		t.Errorf("%d processes have come to the end of the calls; want the one that began them", n)
	}
}

// strikesOf is how many strikes a client has in the ledger, as soon as it has as many as are wanted.
func strikesOf(t *testing.T, program, conf, client string, want int) (n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		out, err := osexec.Command(program, "check", "-f", conf, client).CombinedOutput()
		if err != nil {
			t.Fatalf("sendwrap check %s: %v\n%s", client, err, out)
		}
		n = 0
		if _, after, found := strings.Cut(string(out), "strikes in the last day: "); found {
			fmt.Sscanf(after, "%d", &n)
		}
		if n >= want || time.Now().After(deadline) {
			return n
		}
	}
}

// door builds sendwrap, and writes a configuration with a ledger of its own.
func door(t *testing.T, lines ...string) (program, conf string) {
	t.Helper()
	dir := t.TempDir()
	conf = filepath.Join(dir, "sendwrap.conf")
	lines = append(lines, "ledger "+filepath.Join(dir, "state", "ledger")+" clients=1024", "log none")
	write(t, conf, strings.Join(lines, "\n")+"\n", 0o644)
	return build(t), conf
}
