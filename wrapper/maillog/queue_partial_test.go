package maillog

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// A stream may take half of a line. A local socket does not for lines as short as ours, so this
// test uses TCP.
func TestQueuePartial(t *testing.T) {
	path := filepath.Join(dir(t), "log")
	other := newReader(t, unix.SOCK_STREAM, path)
	defer other.close()
	q := NewQueue(Syslog(path))
	defer q.Close()
	log := q.Log()
	conn := overTCP(t, q)

	// Odd amounts of room, so that it ends within lines. Each call leaves a line half sent.
	var stream strings.Builder
	buf, next := make([]byte, 5003), 0
	sendHalf := func() {
		for tries := 0; q.sent == 0; tries++ {
			for q.waiting.len < fifoSize/4 {
				if err := log.Write(Info,
					strconv.Itoa(next)+" "+strings.Repeat("x", 700)); err != nil {
					t.Fatal(err)
				}
				next++
			}
			if q.Flush(); q.sent > 0 {
				return
			}
			if tries == 10_000 {
				t.Fatal("no line was ever sent in parts: nothing was tested")
			}
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(buf[:n])
		}
	}
	for range 5 {
		sendHalf()
		for at := q.sent; q.sent == at; q.Flush() { // and the other half
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			stream.Write(buf[:n])
		}
	}
	sendHalf()

	// The reader leaves in the middle of a line, and the next one gets the whole line.
	all := stream.String() + drain(t, q.fd, conn)
	lines := strings.Split(all, "\x00")
	half := lines[len(lines)-1]
	if half == "" || len(half) != q.sent {
		t.Fatalf("%d bytes of a line have come; %d were sent", len(half), q.sent)
	}
	var got []string
	for _, line := range lines[:len(lines)-1] {
		got = append(got, textOf(t, line))
	}
	conn.SetLinger(0) // at once, as with a local socket, and not at the second line
	conn.Close()
	got = append(got, settle(t, q, other.read)...)
	same(t, got, numbers(0, next))
}

// overTCP leads q to a TCP connection.
func overTCP(t *testing.T, q *Queue) *net.TCPConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: listener.Addr().(*net.TCPAddr).Port,
		Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Connect(fd, to); err != nil {
		t.Fatal(err)
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(lab.Patience)); err != nil {
		t.Fatal(err)
	}
	unix.Close(q.fd)
	q.fd = fd
	return conn.(*net.TCPConn)
}

// drain reads all that fd has sent to conn. The kernel moves bytes from fd to conn when it likes:
// there are no more when all are acknowledged and none is left to read.
func drain(t *testing.T, fd int, conn *net.TCPConn) string {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	count := func(fd int, request uint) int {
		n, err := unix.IoctlGetInt(fd, request)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var all []byte
	buf := make([]byte, 64<<10)
	for deadline := time.Now().Add(lab.Patience); ; time.Sleep(time.Millisecond) {
		onTheWay, unread := count(fd, unix.TIOCOUTQ), 0
		err := raw.Control(func(fd uintptr) { unread = count(int(fd), unix.TIOCINQ) })
		if err != nil {
			t.Fatal(err)
		}
		if unread > 0 {
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, buf[:n]...)
			continue
		}
		if onTheWay == 0 {
			return string(all)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are still on the way", onTheWay)
		}
	}
}
