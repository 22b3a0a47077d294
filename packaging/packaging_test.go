// Package packaging holds what super-servers need to start sendwrap. These tests give the files to the super-servers
// themselves, with another port and a stand-in for sendwrap.
package packaging

import (
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const sendwrap = "/usr/local/sbin/sendwrap"

func TestSystemdUnits(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	verify := func(spoil func(string) string) (string, error) {
		dir := t.TempDir()
		for _, name := range []string{"sendwrap.socket", "sendwrap@.service"} {
			text := replace(t, spoil(read(t, name)), map[string]string{"=-" + sendwrap: "=-" + standIn(t)}, name == "sendwrap@.service")
			write(t, filepath.Join(dir, name), text, 0o644)
		}
		cmd := osexec.Command(analyze, "verify", "--man=no", filepath.Join(dir, "sendwrap.socket"), filepath.Join(dir, "sendwrap@.service"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := verify(func(text string) string { return text }); err != nil || out != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, _ := verify(func(text string) string { return text + "Nonsense=yes\n" }); !strings.Contains(out, "Nonsense") {
		t.Errorf("systemd-analyze verify finds nothing wrong with nonsense: this test proves nothing\n%s", out)
	}
}

// The fuses of super-servers, by which one client can shut the port for all: more quick connections than any default
// allows, each must be answered.
func TestNoFuse(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "only root can start a super-server whose service runs as root")
	}
	tests := []struct {
		name, file, host string
		edit             map[string]string // what to replace in file; PORT and PROGRAM are the test's own
		start            []string          // FILE is the edited file
	}{
		{
			name: "inetd", file: "inetd.conf", host: "127.0.0.1",
			edit:  map[string]string{"\nsmtp\t": "\n127.0.0.1:PORT\t", sendwrap: "PROGRAM"},
			start: []string{"inetd", "-i", "FILE"},
		},
		{
			name: "xinetd", file: "xinetd.sendwrap", host: "::1",
			edit: map[string]string{
				"service smtp\n{": "service sendwrap-test\n{\n\ttype = UNLISTED\n\tport = PORT\n\tbind = ::1", sendwrap + "\n": "PROGRAM\n"},
			start: []string{"xinetd", "-dontfork", "-stayalive", "-f", "FILE"},
		},
		{
			name: "tcpserver", file: "tcpserver.run", host: "127.0.0.1",
			edit:  map[string]string{" 0 smtp " + sendwrap: " 127.0.0.1 PORT PROGRAM"},
			start: []string{"sh", "FILE"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			need(t, tt.name)
			port := freePort(t, tt.host)
			text := replace(t, read(t, tt.file), tt.edit, true)
			text = strings.NewReplacer("PORT", port, "PROGRAM", standIn(t)).Replace(text)
			file := filepath.Join(t.TempDir(), tt.file)
			write(t, file, text, 0o755)
			cmd := osexec.Command(need(t, tt.start[0]), strings.Split(strings.ReplaceAll(strings.Join(tt.start[1:], "\n"), "FILE", file), "\n")...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { cmd.Process.Kill(); cmd.Wait() }()

			address := net.JoinHostPort(tt.host, port)
			deadline := time.Now().Add(10 * time.Second)
			for !greeted(address) {
				if time.Now().After(deadline) {
					t.Fatalf("%s does not answer", tt.name)
				}
				time.Sleep(20 * time.Millisecond)
			}
			const n = 400
			for i := range n {
				if !greeted(address) {
					t.Fatalf("connection %d of %d is not answered", i, n)
				}
			}
		})
	}
}

// greeted makes a connection and says whether the stand-in was there.
func greeted(address string) bool {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 3)
	n, _ := conn.Read(buf)
	return string(buf[:n]) == "220"
}

// standIn is a program that greets and ends.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sendwrap")
	write(t, path, "#!/bin/sh\necho 220 stand-in\n", 0o755)
	return path
}

func freePort(t *testing.T, host string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		skip(t, err.Error())
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// replace replaces each key of edit, which must be there just once if must, by its value.
func replace(t *testing.T, text string, edit map[string]string, must bool) string {
	t.Helper()
	for from, to := range edit {
		if n := strings.Count(text, from); must && n != 1 {
			t.Fatalf("%q is there %d times; want once", from, n)
		}
		text = strings.ReplaceAll(text, from, to)
	}
	return text
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// need returns the path of a program, or skips the test.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := osexec.LookPath(program)
	if err != nil {
		skip(t, fmt.Sprintf("%s is not installed", program))
	}
	return path
}

// skip skips the test, except where nothing may be skipped.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
