package share

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
)

// What is no engine, or none that can be used, is said with what to write instead.
func TestWrongEngines(t *testing.T) {
	t.Parallel()
	e := startEngine(t, redis)
	m := newMachine(t, e, "mx1", quick)
	for _, tt := range []struct {
		name, greeting string
		answer         func(line string) string
		want           string
	}{
		{"http", "", func(string) string { return "HTTP/1.1 400 Bad Request\r\n\r\n" },
			"this is no Valkey or Redis"},
		{"smtp", "220 mx.example.org ESMTP\r\n", func(string) string {
			return "500 5.5.1 Command unrecognized\r\n"
		}, "this is no Valkey or Redis"},
		{"old", "", old, "Redis 5.0.14 is too old; install 6 or later"},
		{"silent", "", func(string) string { return "" }, "whether its port speaks TLS"},
	} {
		m.configure(fmt.Sprintf("valkey://%s:%d", m.here, serve(t, tt.greeting, tt.answer)), quick)
		if out, err := m.try("share", "-check"); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v: %q; want %q", tt.name, err, out, tt.want)
		} else if strings.Contains(out, "rights") {
			t.Errorf("%s: rights have nothing to do with it: %q", tt.name, out)
		}
	}
}

// A mistake in the configuration is said, not only that nothing is shared because of it.
func TestWrongConfiguration(t *testing.T) {
	t.Parallel()
	m := newMachine(t, startEngine(t, redis), "mx1", quick)
	m.configure("http://"+m.here, quick)
	for _, args := range [][]string{{}, {"-check"}} {
		out, err := m.try("share", args...)
		if err == nil || !strings.Contains(out, "write valkey://, valkeys:// for TLS") ||
			strings.Contains(out, "share_engine is off") {
			t.Errorf("share %q: %v: %s", args, err, out)
		}
	}
}

// old answers as Redis 5 does, which knows no HELLO.
func old(line string) string {
	info := "# Server\r\nredis_version:5.0.14\r\n"
	switch strings.ToUpper(line) {
	case "INFO":
		return fmt.Sprintf("$%d\r\n%s\r\n", len(info), info)
	case "HELLO":
		return "-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n"
	case "CLIENT", "PING":
		return "+OK\r\n"
	}
	return ""
}

// serve answers lines of clients that are nothing of Redis, on a port of its own.
func serve(t *testing.T, greeting string, answer func(string) string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = c.Write([]byte(greeting))
				for in := bufio.NewScanner(c); in.Scan(); {
					_, _ = c.Write([]byte(answer(in.Text())))
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// What others write where machines say that they are here cannot reach an administrator's terminal,
// nor keep the report away.
func TestCheckOfGarbage(t *testing.T) {
	t.Parallel()
	e, a, _ := two(t, redis, quick)
	const good = "0.9 1 1800000000000 0-0 32/64"
	words := []string{"hset", "sendwrap:{here}", "a\x1b[2J", good, "b\nmx7: fine", good, "c",
		"\x1b[2J 1 1800000000000 0-0 32/64", "d", strings.Repeat("A", 100_000)}
	for n := range 300 {
		words = append(words, fmt.Sprint("more", n), good)
	}
	e.do(words...)
	out := a.command("share", "-check")
	if strings.ContainsAny(out, "\x1b") || strings.Contains(out, "\nmx7: ") || len(out) > 30_000 ||
		!strings.Contains(out, "entries that no machine has written") {
		t.Errorf("share -check: %.3000q", out)
	}
}

// A prefix that another program uses, and a file with the password that others may read.
func TestWrongPrefixAndPassword(t *testing.T) {
	t.Parallel()
	e := startEngine(t, redis)
	m := newMachine(t, e, "mx1", quick)
	for _, tt := range []struct {
		words []string
		want  string
	}{
		{[]string{"set", "sendwrap:{events}", "x"},
			"another program uses this prefix; write another share_prefix"},
		{[]string{"xadd", "sendwrap:{events}", "*", "order", "7"},
			"sendwrap:{events} is another program's; write another share_prefix"},
	} {
		e.do("flushall")
		e.do(tt.words...)
		if out, err := m.try("share", "-check"); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("%q: %v: %q; want %q", tt.words, err, out, tt.want)
		}
	}
	m.configure(m.asUser(m.engine), quick)
	for _, tt := range []struct {
		mode os.FileMode
		want string
	}{
		{0o644, ": share_engine: password=: " + m.file("secret") +
			": mode 0644 lets others in; chmod 0600 it"},
		{0o600, "or user is disabled; write the right password into the file of password=, or "},
	} {
		if err := os.Chmod(m.file("secret"), tt.mode); err != nil {
			t.Fatal(err)
		}
		if out, err := m.try("share", "-check"); err == nil || !strings.Contains(out, tt.want) {
			t.Errorf("mode %o: %v: %q; want %q", tt.mode, err, out, tt.want)
		}
	}
	if err := os.Remove(m.file("secret")); err != nil {
		t.Fatal(err)
	}
	const want = "no such file or directory; make it, or name another one"
	if out, err := m.try("share", "-check"); err == nil || !strings.Contains(out, want) {
		t.Errorf("without the file: %v: %q; want %q", err, out, want)
	}
}
