package main

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"time"
)

// logReader stands in for syslogd and counts sendwrap's lines by verdict.
type logReader struct {
	mu    sync.Mutex
	lines map[string]int
}

// readLog receives at the socket path for as long as the program runs.
func readLog(path string) (*logReader, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	r := &logReader{lines: make(map[string]int)}
	go func() {
		line := make([]byte, 8192)
		for {
			n, err := conn.Read(line)
			if err != nil {
				return
			}
			r.count(line[:n])
		}
	}()
	return r, nil
}

// count takes one datagram: "<22>Jan  2 15:04:05 sendwrap[4243]: PREGREET client=…".
func (r *logReader) count(line []byte) {
	_, line, ours := bytes.Cut(line, []byte("sendwrap["))
	_, line, framed := bytes.Cut(line, []byte("]: "))
	if !ours || !framed {
		return // sendmail's or tcpd's
	}
	verdict, _, _ := bytes.Cut(line, []byte(" "))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[string(verdict)]++
}

// expect reports an error unless the lines with this verdict come to be n
// within a second. A line is in the socket before its writer ends, so waiting is
// for our own goroutine alone.
func (r *logReader) expect(verdict string, n int) error {
	var got int
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		got = r.lines[verdict]
		r.mu.Unlock()
		if got == n {
			return nil
		}
	}
	return fmt.Errorf("%d log lines %s, want %d", got, verdict, n)
}

// seen returns how many lines had this verdict up to now.
func (r *logReader) seen(verdict string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[verdict]
}
