package room

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	inherit "sendwrap/exec"
	"sendwrap/wrapper"
)

// reaches reports whether a client of that address gets to the socket, and not to one of the other
// family that another program has at the same port.
func reaches(fd int, client string) (ok bool, err error) {
	at := netip.AddrPortFrom(netip.MustParseAddr(client), wrapper.LocalAddr(fd).Port())
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		return false, err
	}
	defer c.Close()
	theirs, from, err := syscall.Accept4(fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return false, err
	}
	unix.Close(theirs)
	return int(wrapper.AddrPort(from).Port()) == c.LocalAddr().(*net.TCPAddr).Port, nil
}

func TestListen(t *testing.T) {
	for _, tt := range []struct{ address, at string }{
		{"127.0.0.1:0", "127.0.0.1"}, {"[::1]:0", "::1"}, {":0", "::"}, {"0", "::"},
		{"[::ffff:127.0.0.1]:0", "127.0.0.1"}, {"0.0.0.0:0", "0.0.0.0"},
	} {
		fd, err := Listen(tt.address)
		if err != nil {
			t.Errorf("%s: %v", tt.address, err)
			continue
		}
		at := wrapper.LocalAddr(fd)
		if at.Addr().String() != tt.at {
			t.Errorf("%s: listens at %v", tt.address, at)
		}
		if err := Listening(fd); err != nil {
			t.Errorf("%s: %v", tt.address, err)
		}
		// A socket for all addresses serves both families, any other only its own.
		for _, client := range []string{"127.0.0.1", "::1"} {
			want := tt.at == "::" || tt.at == client || tt.at == "0.0.0.0" && client == "127.0.0.1"
			if got, err := reaches(fd, client); got != want {
				t.Errorf("%s: a client of %s: %v, %v", tt.address, client, got, err)
			}
		}
		if _, err := Listen(at.String()); !errors.Is(err, unix.EADDRINUSE) ||
			!strings.Contains(err.Error(), "stop the program that has the port") {
			t.Errorf("%s twice: %v", tt.address, err)
		}
		unix.Close(fd)
	}
	for _, address := range []string{"", "x", "25x", "localhost:25", "mx.example.org:25",
		"1.2.3:25", "1.2.3.4:65536", "1.2.3.4:-1", "::1:25", "[::1]", "1.2.3.4", "[1.2.3.4", ":"} {
		_, err := Listen(address)
		if wrong := new(AddressError); !errors.As(err, &wrong) {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// What LISTEN_FDS may say, in another process that gets exactly these descriptors.
func TestPassed(t *testing.T) {
	if os.Getenv("SENDWRAP_TEST_PASSED") != "" {
		if os.Getenv("LISTEN_PID") == "self" {
			os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
		}
		fds, wrong := inherit.Passed(Listening)
		fmt.Printf("fds=%v\n%s\n", fds, strings.Join(wrong, "\n"))
		syscall.Exit(0) // os.Exit takes a second under the race detector
	}
	tcp, _ := net.Listen("tcp", "127.0.0.1:0")
	udp, _ := net.ListenPacket("udp", "127.0.0.1:0")
	local, _ := net.Listen("unix", t.TempDir()+"/s")
	connected, err := net.Dial("tcp", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	file := func(x any) *os.File {
		f, err := x.(interface{ File() (*os.File, error) }).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	listening, second := file(tcp), file(tcp)
	pipe, _, _ := os.Pipe()
	for _, tt := range []struct {
		pid, n string
		files  []*os.File
		want   string // all that is said
	}{
		{"self", "1", []*os.File{listening}, "fds=[3]\n"},
		{"self", "2", []*os.File{listening, second}, "fds=[3]\n"}, // the same socket
		{"self", "", []*os.File{listening}, "fds=[]\n"},
		{"", "1", []*os.File{listening}, "fds=[]\nLISTEN_FDS is meant for process \"\""},
		{"1", "1", []*os.File{listening},
			"fds=[]\nLISTEN_FDS is meant for process \"1\", not for us"},
		{"self", "-1", []*os.File{listening}, "fds=[]\nLISTEN_FDS is \"-1\"; want a number"},
		{"self", "x", []*os.File{listening}, "fds=[]\nLISTEN_FDS is \"x\"; want a number"},
		{"self", "1", []*os.File{file(udp)},
			"fds=[]\nfd 3 of LISTEN_FDS: is not a TCP socket; " +
				"write ListenStream=, not ListenDatagram="},
		{"self", "1", []*os.File{file(local)},
			"fds=[]\nfd 3 of LISTEN_FDS: is a local socket, " +
				"whose clients have no address to decide by"},
		{"self", "1", []*os.File{file(connected)},
			"fds=[]\nfd 3 of LISTEN_FDS: is a connection, not a listening socket; write Accept=no"},
		{"self", "1", []*os.File{pipe}, "fds=[]\nfd 3 of LISTEN_FDS: is not a socket"},
		{"self", "2000000000", []*os.File{listening, pipe},
			"fds=[3]\nfd 4 of LISTEN_FDS: is not a socket\nfd 5"},
		{"self", "2", []*os.File{file(udp), listening},
			"fds=[4]\nfd 3 of LISTEN_FDS: is not a TCP socket"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPassed$")
		cmd.Env = append(os.Environ(), "SENDWRAP_TEST_PASSED=1", "LISTEN_PID="+tt.pid,
			"LISTEN_FDS="+tt.n)
		cmd.ExtraFiles = tt.files
		out, err := cmd.Output()
		if err != nil || !strings.HasPrefix(string(out), tt.want) {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s: %v, %q; want %q", tt.pid, tt.n, err, out,
				tt.want)
		}
		if n := strings.Count(string(out), "\n"); n > 2+5 {
			t.Errorf("LISTEN_FDS=%s: %d lines", tt.n, n)
		}
	}
}
