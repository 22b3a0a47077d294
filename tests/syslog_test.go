package tests

import (
	"errors"
	"os"
	"regexp"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// maillog [-count N] REGEXP
//
// A line of the mail log must match; it is waited for. With -count exactly N lines must.
// `! maillog REGEXP`: no line so far may match.
func cmdMaillog(ts *testscript.TestScript, neg bool, args []string) {
	want, exact := 1, false
	if len(args) == 3 && args[0] == "-count" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		want, exact, args = n, true, args[2:]
	}
	if len(args) != 1 {
		ts.Fatalf("usage: maillog [-count N] REGEXP")
	}
	re, err := regexp.Compile(args[0])
	ts.Check(err)
	m := machineOf(ts)
	if neg {
		ts.Check(m.settle())
		if lines := m.log.Matching(re); len(lines) > 0 {
			ts.Fatalf("in the mail log: %s", lines[0])
		}
		return
	}
	lines := m.log.Wait(re, want)
	if exact { // there may be more
		ts.Check(m.settle())
		lines = m.log.Matching(re)
	}
	switch {
	case len(lines) < want, exact && len(lines) != want:
		ts.Fatalf("%d lines of the mail log match %s; want %d", len(lines), re, want)
	case len(lines) > 0:
		ts.Logf("%s", lines[len(lines)-1])
	}
}

// settle makes sure that all lines logged so far have been read, if there is a syslogd.
func (m *machine) settle() (err error) {
	if m.hears {
		m.Do(func() { err = m.log.Settle() })
	}
	return err
}

// nosyslog ends syslogd: its socket is gone, also for programs that are connected to it.
func cmdNoSyslog(ts *testscript.TestScript, neg bool, args []string) {
	m := machineOf(ts)
	m.log.Deafen()
	m.hears = false
	var err error
	m.Do(func() { err = os.Remove(devLog) })
	ts.Check(err)
}

// syslog starts it again.
func cmdSyslog(ts *testscript.TestScript, neg bool, args []string) {
	m := machineOf(ts)
	var err error
	m.Do(func() { err = m.log.Listen(devLog) })
	ts.Check(err)
	m.hears = true
}

// deafsyslog
//
// From here on there is a syslogd on /dev/log that never reads, and its queue is full.
func cmdDeafSyslog(ts *testscript.TestScript, neg bool, args []string) {
	cmdNoSyslog(ts, neg, args)
	var deaf int
	var err error
	machineOf(ts).Do(func() {
		deaf, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Bind(deaf, &unix.SockaddrUnix{Name: devLog})
		}
		for sent := 1; err == nil && sent > 0; { // each sender can send only so much
			sent, err = fill(devLog)
		}
	})
	ts.Defer(func() { unix.Close(deaf) })
	ts.Check(err)
}

// fill sends to a datagram socket, as one sender, until its queue is full.
func fill(path string) (sent int, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	for ; err == nil; sent++ {
		err = unix.Sendto(fd, []byte("full"), unix.MSG_DONTWAIT, &unix.SockaddrUnix{Name: path})
	}
	if errors.Is(err, unix.EAGAIN) {
		err = nil
	}
	return sent - 1, err
}
