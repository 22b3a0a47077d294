package tests

import (
	"errors"
	"net"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// maillog [-count N] REGEXP
//
// A line of the mail log must match; it is waited for. With -count exactly N lines must. `! maillog REGEXP`: no line so far may match.
func cmdMaillog(ts *testscript.TestScript, neg bool, args []string) {
	want := 1
	exact := false
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
	log := machineOf(ts).log
	if neg {
		if lines, _ := log.matching(re); len(lines) > 0 {
			ts.Fatalf("in the mail log: %s", lines[0])
		}
		return
	}
	lines := log.wait(re, want)
	switch {
	case len(lines) < want, exact && len(lines) != want:
		ts.Fatalf("%d lines of the mail log match %s; want %d", len(lines), re, want)
	case len(lines) > 0:
		ts.Logf("%s", lines[len(lines)-1])
	}
}

// deafsyslog
//
// From here on somebody listens on /dev/log who never reads, and whose queue is full.
func cmdDeafSyslog(ts *testscript.TestScript, neg bool, args []string) {
	var deaf, sender *net.UnixConn
	var err error
	addr := &net.UnixAddr{Name: "/dev/log", Net: "unixgram"}
	machineOf(ts).do(func() {
		if err = os.Remove(addr.Name); err != nil {
			return
		}
		if deaf, err = net.ListenUnixgram("unixgram", addr); err == nil {
			sender, err = net.DialUnix("unixgram", nil, addr)
		}
	})
	ts.Check(err)
	ts.Defer(func() { deaf.Close() })
	defer sender.Close()
	for {
		_ = sender.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		if _, err := sender.Write([]byte("full")); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				ts.Check(err)
			}
			return
		}
	}
}

// nosyslog ends syslogd: its socket is gone, for those too who are connected to it.
func cmdNoSyslog(ts *testscript.TestScript, neg bool, args []string) {
	m := machineOf(ts)
	m.log.conn.Close()
	var err error
	m.do(func() { err = os.Remove("/dev/log") })
	ts.Check(err)
}

// syslog starts it again.
func cmdSyslog(ts *testscript.TestScript, neg bool, args []string) {
	m := machineOf(ts)
	var err error
	m.do(func() { err = m.log.listen("/dev/log") })
	ts.Check(err)
}
