package main

import (
	"bytes"
	"fmt"
	"net"
	"sync"
)

// logReader stands in for syslogd and counts lines: sendwrap's by verdict, those of others by
// program and first word, "postscreen PREGREET". It is no lab.Log: that one keeps each line,
// decodes it and wakes its readers, on the same machine as the program that is measured.
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

// count takes one datagram: "<22>sendwrap[4243]: PREGREET client=…", with a time before the program
// or without.
func (r *logReader) count(line []byte) {
	head, text, framed := bytes.Cut(line, []byte("]: "))
	program := head[bytes.LastIndexAny(head, "> /")+1:] // without the "postfix/" of all of Postfix
	program, _, named := bytes.Cut(program, []byte("["))
	if !framed || !named {
		return
	}
	key, _, _ := bytes.Cut(text, []byte(" "))
	if string(program) != "sendwrap" {
		key = fmt.Appendf(nil, "%s %s", program, key)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[string(key)]++
}

// grows calls run and reports an error unless meanwhile n lines more had this key.
func (r *logReader) grows(key string, n int, run func() error) error {
	before := r.seen(key)
	if err := run(); err != nil {
		return err
	}
	return r.expect(key, before+n)
}

// expect reports an error unless the number of lines with this verdict becomes n. A line is in the
// socket before its writer ends, so this waits for our own goroutine alone.
func (r *logReader) expect(verdict string, n int) error {
	err := await(fmt.Sprintf("%d log lines %s", n, verdict), func() (bool, error) {
		got := r.seen(verdict)
		if got > n {
			return false, fmt.Errorf("%d log lines %s, want %d", got, verdict, n)
		}
		return got == n, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; there are %d", err, r.seen(verdict))
	}
	return err
}

// seen returns how many lines had this verdict up to now.
func (r *logReader) seen(verdict string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[verdict]
}
