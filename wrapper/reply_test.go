package wrapper

import (
	"bytes"
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// Every refusal is one line of at most 512 bytes (RFC 5321 §4.5.3.1.5), with an enhanced status
// code of the class of the reply code (RFC 3463, RFC 2034), our name, and a text.
func TestReplies(t *testing.T) {
	form := regexp.MustCompile(`^([45])(\d\d) ([45])\.\d\.\d mx\.example \[192\.0\.2\.9\] [ ` +
		`-~]{20,}$`)
	client, ours := netip.MustParseAddr("192.0.2.9"), &policy.Settings{Hostname: "mx.example"}
	longest := &policy.Settings{Hostname: strings.Repeat("x", policy.MaxHostname),
		Contact: "https://" + strings.Repeat("x", policy.MaxContact-len("https://"))}
	for _, v := range decide.Verdicts() {
		if v.Served() || v == decide.Hangup {
			if code, _, _ := v.Refusal(); code != "" {
				t.Errorf("%v tells the client something", v)
			}
			continue
		}
		for _, a := range []policy.Action{policy.Reject, policy.Tempfail} {
			line := reply(v, a, client, ours)
			m := form.FindStringSubmatch(line)
			if m == nil || m[1] != m[3] {
				t.Errorf("%v: %q", v, line)
			}
			for _, contact := range []string{longest.Contact, strings.Repeat("x",
				policy.MaxContact)} {
				longest.Contact = contact
				line = reply(v, a,
					netip.MustParseAddr("2001:db8:1111:2222:3333:4444:5555:6666%eth0"), longest)
				if len(line) > 510 || !strings.HasSuffix(line, contact) {
					t.Errorf("%v: %d bytes: %q", v, len(line), line)
				}
			}
		}
	}
	got := reply(decide.Pregreet, policy.Tempfail, client, ours)
	if !strings.HasPrefix(got, "421 4.5.1 ") {
		t.Errorf("tempfail: %q", got)
	}
}

// A refusal names the client, in SMTP's spelling, and says where to get help.
func TestReplyNames(t *testing.T) {
	const blocked = " is blocked for a while because of what came from its network; try again later"
	for _, tt := range []struct{ client, contact, want string }{
		{"192.0.2.9", "", "[192.0.2.9]" + blocked},
		{"2001:db8::1", "", "[IPv6:2001:db8::1]" + blocked},
		{"fe80::1%eth0", "", "[IPv6:fe80::1]" + blocked},
		{"", "", "your address" + blocked},
		{"192.0.2.9", "https://example.org/mail", "[192.0.2.9]" + blocked +
			"; see https://example.org/mail"},
		{"192.0.2.9", "http://example.org/", "[192.0.2.9]" + blocked + "; see http://example.org/"},
		{"192.0.2.9", "+49 30 123456", "[192.0.2.9]" + blocked + "; contact +49 30 123456"},
	} {
		client, _ := netip.ParseAddr(tt.client)
		got := reply(decide.Blocked, policy.Reject, client, &policy.Settings{Hostname: "mx.example",
			Contact: tt.contact})
		if want := "421 4.7.1 mx.example " + tt.want; got != want {
			t.Errorf("%q, %q:\n got %q\nwant %q", tt.client, tt.contact, got, want)
		}
	}
}

// speakAll makes the client say something, and waits until all of it has come.
func speakAll(t *testing.T, client *net.TCPConn, fd int, text []byte) {
	t.Helper()
	if _, err := client.Write(text); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(lab.Patience)
	for ; unread(t, fd) < len(text); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d bytes have come", unread(t, fd), len(text))
		}
	}
}

func unread(t *testing.T, fd int) int {
	t.Helper()
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A client whose bytes are still unread when we hang up gets its reply, and no RST.
func TestReplyIsNotLost(t *testing.T) {
	client, fd := pair(t)
	speakAll(t, client, fd, bytes.Repeat([]byte("EHLO bot\r\n"), 300))
	say(fd, "554 5.5.1 mx.example no")
	if endOurs(fd) {
		linger(fd)
	}
	// closes it, and pair may close the number
	if err := unix.Dup3(0, fd, unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, client); got != "554 5.5.1 mx.example no\r\n" {
		t.Errorf("client got %q", got)
	}
	raw, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	if info.State != unix.BPF_TCP_CLOSE_WAIT {
		t.Errorf("the client's socket is in state %d; want %d, as with no RST", info.State,
			unix.BPF_TCP_CLOSE_WAIT)
	}
}

// We read only a bounded amount of what a refused client sends.
func TestLingerReadsLittle(t *testing.T) {
	for took := DrainTime; took >= DrainTime; { // again if its time was over before
		client, fd := pair(t)
		text := make([]byte, 4*drainBytes)
		speakAll(t, client, fd, text)
		began := time.Now()
		linger(fd)
		took = time.Since(began)
		if n := len(text) - unread(t, fd); n != drainBytes && (n > drainBytes || took < DrainTime) {
			t.Errorf("%d bytes were read; want %d", n, drainBytes)
		}
	}
}

// Whatever the client does, linger ends within its bound.
func TestLingerIsBounded(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, client *net.TCPConn, fd int){
		"client neither reads nor closes": func(*testing.T, *net.TCPConn, int) {},
		"client sends without end": func(t *testing.T, client *net.TCPConn, fd int) {
			go func() {
				flood := bytes.Repeat([]byte("x"), 1<<16)
				for {
					if _, err := client.Write(flood); err != nil { // pair closes it
						return
					}
				}
			}()
			arrived(t, fd)
		},
		"client has reset": func(t *testing.T, client *net.TCPConn, fd int) {
			reset(t, client)
			arrived(t, fd)
		},
		"send buffer is full": func(t *testing.T, _ *net.TCPConn, fd int) {
			for unix.Send(fd, make([]byte, 4096), unix.MSG_DONTWAIT) == nil {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab.InTime(t, "to linger", DrainTime+10*time.Millisecond, func(w *lab.Waits) {
				for range 7 {
					client, fd := pair(t)
					prepare(t, client, fd)
					began := time.Now()
					say(fd, "421 4.7.0 mx.example no")
					if endOurs(fd) {
						linger(fd)
					}
					took := time.Since(began)
					client.Close()
					w.Add(took, lab.Lateness())
				}
			})
		})
	}
}
