package wrapper

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/config"
)

// Every refusal is one line of at most 512 bytes (RFC 5321 §4.5.3.1.5), with an enhanced
// status code whose class is that of the reply code (RFC 3463, RFC 2034), our name, and words.
func TestReplies(t *testing.T) {
	form := regexp.MustCompile(`^([45])(\d\d) ([45])\.\d\.\d mx\.example [ -~]{20,}$`)
	for _, v := range Verdicts() {
		if v.Served() || v == Hangup {
			if verdicts[v].code != "" {
				t.Errorf("%v tells the client something", v)
			}
			continue
		}
		for _, a := range []config.Action{config.Reject, config.Tempfail} {
			line := reply(v, a, "mx.example")
			m := form.FindStringSubmatch(line)
			if m == nil || m[1] != m[3] || len(line) > 510 {
				t.Errorf("%v: %q", v, line)
			}
		}
	}
	if got := reply(Pregreet, config.Tempfail, "mx"); !strings.HasPrefix(got, "421 4.5.1 ") {
		t.Errorf("tempfail: %q", got)
	}
}

// A client whose bytes are still unread when we hang up gets its reply all the same, not an RST.
func TestReplyIsNotLost(t *testing.T) {
	client, fd := pair(t)
	client.Write(bytes.Repeat([]byte("EHLO bot\r\n"), 300))
	time.Sleep(20 * time.Millisecond)
	go func() {
		say(fd, "554 5.5.1 mx.example no")
		if endOurs(fd) {
			linger(fd)
		}
		unix.Close(fd)
	}()
	if got := readAll(t, client); got != "554 5.5.1 mx.example no\r\n" {
		t.Errorf("client got %q", got)
	}
}

// Whatever the client does, hanging up takes no longer than its bound.
func TestHangUpIsBounded(t *testing.T) {
	bound := DrainTime + 100*time.Millisecond
	timed := func(t *testing.T, fd int) {
		t.Helper()
		started := time.Now()
		say(fd, "421 4.7.0 mx.example no")
		if endOurs(fd) {
			linger(fd)
		}
		if took := time.Since(started); took > bound {
			t.Errorf("took %v", took)
		}
	}
	t.Run("client neither reads nor closes", func(t *testing.T) {
		_, fd := pair(t)
		timed(t, fd)
	})
	t.Run("client sends without end", func(t *testing.T) {
		client, fd := pair(t)
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			flood := bytes.Repeat([]byte("x"), 1<<16)
			for {
				select {
				case <-stop:
					return
				default:
					client.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := client.Write(flood); err != nil {
						return
					}
				}
			}
		}()
		time.Sleep(20 * time.Millisecond)
		timed(t, fd)
	})
	t.Run("client has reset", func(t *testing.T) {
		client, fd := pair(t)
		reset(t, client)
		time.Sleep(20 * time.Millisecond)
		timed(t, fd)
	})
	t.Run("send buffer is full", func(t *testing.T) {
		_, fd := pair(t)
		for {
			if err := unix.Send(fd, make([]byte, 4096), unix.MSG_DONTWAIT); err != nil {
				break
			}
		}
		timed(t, fd)
	})
}
