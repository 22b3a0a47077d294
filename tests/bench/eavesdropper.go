package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// eavesdropper lists the system calls of a process that is traced.
type eavesdropper struct {
	names map[string]string // of files
	calls []listedCall
}

// files are the instance's own files, by the names that a list of system calls has for them.
func (i *instance) files() map[string]string {
	return map[string]string{
		i.conf: "sendwrap.conf", i.ledger: "the ledger", filepath.Dir(i.ledger): "its directory",
		i.program: "the door", "/var/lib/sendwrap": "the state directory",
	}
}

// hear adds the system call that a thread of a process begins.
func (e *eavesdropper) hear(pid, tid int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", tid))
	var args [7]uint64 // the number first
	for i, word := range bytes.Fields(text) {
		if i < len(args) {
			args[i], _ = strconv.ParseUint(strings.TrimPrefix(string(word), "0x"),
				map[bool]int{true: 10, false: 16}[i == 0], 64)
		}
	}
	number := int(args[0])
	if forThreads[number] {
		return
	}
	what := e.describe(pid, number, args[1:])
	if n := len(e.calls); n > 0 && e.calls[n-1].What == what {
		e.calls[n-1].Times++
		return
	}
	e.calls = append(e.calls, listedCall{what, 1, reasons[what]})
}

// describe returns the name of a call, and the file, socket or memory that it is about.
func (e *eavesdropper) describe(pid, number int, args []uint64) string {
	name := callNames[number]
	switch name {
	case "":
		return fmt.Sprintf("call %d", number)
	case "openat", "newfstatat", "readlinkat":
		if path := stringOf(pid, args[1]); path != "" {
			return name + " " + e.file(path)
		}
		return name + " " + e.descriptor(pid, args[0])
	case "execve", "stat", "lstat":
		return name + " " + e.file(stringOf(pid, args[0]))
	case "mmap":
		if int32(args[4]) == -1 {
			return name + " memory"
		}
		return name + " " + e.descriptor(pid, args[4])
	case "close", "fcntl", "flock", "fstat", "fstatfs", "getpeername", "getsockname", "getsockopt",
		"setsockopt", "ioctl", "lseek", "pread64", "read", "recvfrom", "sendmsg", "sendto",
		"shutdown", "write", "connect":
		return name + " " + e.descriptor(pid, args[0])
	}
	return name
}

// descriptor says what a descriptor of a process is.
func (e *eavesdropper) descriptor(pid int, fd uint64) string {
	link := func(fd uint64) string {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, int32(fd)))
		if err != nil {
			return "nothing"
		}
		return to
	}
	to := link(fd)
	to = strings.Replace(to, fmt.Sprintf("/proc/%d/", pid), "/proc/self/", 1)
	switch {
	case to == link(0):
		return "the client"
	case strings.HasPrefix(to, "socket:"):
		return "a socket"
	}
	return e.file(to)
}

// file returns what a list calls a file.
func (e *eavesdropper) file(path string) string {
	switch base := filepath.Base(path); {
	case e.names[path] != "":
		return e.names[path]
	case base == "policy" || strings.HasPrefix(base, "policy-"):
		return "the policy"
	}
	return path
}

// stringOf returns a string that ends with 0 in the memory of a process.
func stringOf(pid int, at uint64) string {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return ""
	}
	defer memory.Close()
	b := make([]byte, 256)
	n, _ := memory.ReadAt(b, int64(at)) // as much as there is up to the end of a mapping
	text, _, _ := bytes.Cut(b[:n], []byte{0})
	return string(text)
}
