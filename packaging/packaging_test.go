// Package packaging holds what super-servers need to start sendwrap. These tests give the files to the super-servers
// themselves, with another port and a stand-in for sendwrap; where it is given the listening socket, with sendwrap itself and
// a stand-in for the MTA.
package packaging

import (
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const sendwrap = "/usr/local/sbin/sendwrap"

func TestSystemdUnits(t *testing.T) {
	analyze := need(t, "systemd-analyze")
	units := []string{"sendwrap.socket", "sendwrap@.service", "sendwrap-room.socket", "sendwrap.service", "sendwrap-guard.socket", "sendwrap-guard.service"}
	verify := func(spoil func(name, text string) string) string {
		t.Helper()
		dir, program := t.TempDir(), standIn(t)
		cmd := osexec.Command(analyze, "verify", "--man=no")
		for _, name := range units {
			text := spoil(name, read(t, name))
			if strings.HasSuffix(name, ".service") {
				text = replace(t, text, map[string]string{"\nExecStart=": "\nExecStart=PREFIX"}, true)
				text = strings.NewReplacer("PREFIX-"+sendwrap, "-"+program, "PREFIX"+sendwrap, program).Replace(text)
			}
			path := filepath.Join(dir, name)
			write(t, path, text, 0o644)
			cmd.Args = append(cmd.Args, path)
		}
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			return err.Error()
		}
		return string(out)
	}
	same := func(_, text string) string { return text }
	if said := verify(same); said != "" {
		t.Errorf("systemd-analyze verify:\n%s", said)
	}
	// An administrator may as well say Accept=no in sendwrap.socket.
	said := verify(func(name, text string) string {
		if name == "sendwrap.socket" {
			text = replace(t, text, map[string]string{"\nAccept=yes": "\nAccept=no"}, true)
		}
		return text
	})
	if said != "" {
		t.Errorf("with Accept=no: systemd-analyze verify:\n%s", said)
	}
	for _, spoilt := range units {
		said := verify(func(name, text string) string {
			if name == spoilt {
				text += "Nonsense=yes\n"
			}
			return text
		})
		if !strings.Contains(said, "Nonsense") || !strings.Contains(said, spoilt) {
			t.Errorf("%s: systemd-analyze verify finds nothing wrong with nonsense: this test proves nothing\n%s", spoilt, said)
		}
	}
	// A socket whose service is not there is found, too: so that the one above names the right one.
	said = verify(func(name, text string) string {
		if name == "sendwrap-room.socket" {
			text = replace(t, text, map[string]string{"\nService=sendwrap.service": "\nService=sendwrap-gone.service"}, true)
		}
		return text
	})
	if !strings.Contains(said, "sendwrap-gone.service") {
		t.Errorf("systemd-analyze verify does not miss a service that is not there: this test proves nothing\n%s", said)
	}
}

// daemons are the super-servers, and sendwrap itself, each with the file that it is given.
var daemons = []struct {
	name, needs, file, host string
	room                    bool              // it gives away the socket on which clients arrive, or has none
	edit                    map[string]string // what to replace in file; PORT, PROGRAM and CONF are the test's own
	start                   []string          // FILE is the edited file
}{
	{
		name: "inetd", needs: "inetd", file: "inetd.conf", host: "127.0.0.1",
		edit:  map[string]string{"\nsmtp\t": "\n127.0.0.1:PORT\t", "\troot\t" + sendwrap + "\tsendwrap\n\n": "\troot\tPROGRAM\tsendwrap\n\n"},
		start: []string{"inetd", "-i", "FILE"},
	},
	{
		name: "xinetd", needs: "xinetd", file: "xinetd.sendwrap", host: "::1",
		edit: map[string]string{
			"service smtp\n{": "service sendwrap-test\n{\n\ttype = UNLISTED\n\tport = PORT\n\tbind = ::1", sendwrap + "\n": "PROGRAM\n"},
		start: []string{"xinetd", "-dontfork", "-stayalive", "-f", "FILE"},
	},
	{
		name: "tcpserver", needs: "tcpserver", file: "tcpserver.run", host: "127.0.0.1",
		edit:  map[string]string{" 0 smtp " + sendwrap: " 127.0.0.1 PORT PROGRAM"},
		start: []string{"sh", "FILE"},
	},
	{
		name: "inetd-wait", needs: "inetd", file: "inetd.conf", host: "127.0.0.1", room: true,
		edit: map[string]string{
			"\nsmtp\t": "\n#smtp\t", // the other line
			"\n#smtp\tstream\ttcp\twait\troot\t" + sendwrap + "\tsendwrap\n": "\n127.0.0.1:PORT\tstream\ttcp\twait\troot\tPROGRAM\tsendwrap -f CONF\n"},
		start: []string{"inetd", "-i", "FILE"},
	},
	{
		name: "xinetd-wait", needs: "xinetd", file: "xinetd.sendwrap-room", host: "::1", room: true,
		edit: map[string]string{
			"service smtp\n{": "service sendwrap-test\n{\n\ttype = UNLISTED\n\tport = PORT\n\tbind = ::1", sendwrap + "\n": "PROGRAM\n\tserver_args = -f CONF\n"},
		start: []string{"xinetd", "-dontfork", "-stayalive", "-f", "FILE"},
	},
	{
		name: "listen", needs: "sh", file: "listen.run", host: "127.0.0.1", room: true,
		edit:  map[string]string{sendwrap + " listen 25\n": "PROGRAM listen -f CONF 127.0.0.1:PORT\n"},
		start: []string{"sh", "FILE"},
	},
}

// The fuses of super-servers, by which one client can shut the port for all: more quick connections than any default
// allows, each must be answered. Where one process has them all, it must have had them all.
func TestNoFuse(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "only root can start a super-server whose service runs as root")
	}
	for _, tt := range daemons {
		t.Run(tt.name, func(t *testing.T) {
			need(t, tt.needs)
			port := freePort(t, tt.host)
			program, conf := standIn(t), ""
			if tt.room {
				program, conf = build(t), configuration(t)
			}
			text := replace(t, read(t, tt.file), tt.edit, true)
			text = strings.NewReplacer("PORT", port, "PROGRAM", program, "CONF", conf).Replace(text)
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
			rooms := roomsOf(cmd.Process.Pid)
			if tt.room && len(rooms) != 1 {
				t.Fatalf("processes %v serve; want one", rooms)
			}
			if tt.room {
				defer endRoom(t, rooms[0])
			}
			const n = 400
			for i := range n {
				if !greeted(address) {
					t.Fatalf("connection %d of %d is not answered", i, n)
				}
			}
			if after := roomsOf(cmd.Process.Pid); tt.room && !slices.Equal(after, rooms) {
				t.Errorf("processes %v serve after %d connections; want %v as before", after, n, rooms)
			}
		})
	}
}

// roomsOf are the processes called sendwrap that a super-server has started, or itself if that is what it is.
func roomsOf(parent int) (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		var pid, ppid int
		var comm, state string
		if n, _ := fmt.Sscanf(string(text), "%d %s %s %d", &pid, &comm, &state, &ppid); n == 4 && comm == "(sendwrap)" && (pid == parent || ppid == parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// endRoom ends a room, which does not end with its super-server.
func endRoom(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Errorf("room %d: %v", pid, err)
		return
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
	}
	t.Errorf("room %d does not end", pid)
}

// build makes sendwrap: a script cannot accept a connection.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sendwrap")
	if out, err := osexec.Command("go", "build", "-o", path, "..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// configuration lets everybody through at once, to an MTA that greets and ends.
func configuration(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	mta, conf, ledger := filepath.Join(dir, "mta"), filepath.Join(dir, "sendwrap.conf"), filepath.Join(dir, "state", "ledger")
	write(t, mta, greeter, 0o755)
	write(t, conf, fmt.Sprintf("mta %s\nallow 127.0.0.0/8 ::1\nspawn_rate 10000\nledger %s clients=1024\nlog none\n", mta, ledger), 0o644)
	return conf
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

// greeter greets and ends.
const greeter = "#!/bin/sh\necho 220 stand-in\n"

// standIn is a program in sendwrap's place.
func standIn(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sendwrap")
	write(t, path, greeter, 0o755)
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
