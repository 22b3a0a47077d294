package report

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	osexec "os/exec"
	"path/filepath"
	"strings"

	"sendwrap/exec"
)

// unpacked is a log as it was before it was packed. Close says whether all of it was there.
type unpacked struct {
	io.Reader
	program *osexec.Cmd // that unpacks, or nil
	said    bytes.Buffer
}

// unpack reads a log that may be packed; its first bytes say how, since names may lie. xz(1) and
// zstd(1) unpack theirs: packages for that would make each start of the program, for a client too,
// slower by a quarter (measured).
func unpack(r io.Reader) (u *unpacked, err error) {
	in := bufio.NewReader(r)
	magic, _ := in.Peek(6)
	u = &unpacked{Reader: in}
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		u.Reader, err = gzip.NewReader(in)
	case bytes.HasPrefix(magic, []byte("\x28\xb5\x2f\xfd")):
		err = u.run("zstd", in)
	case bytes.HasPrefix(magic, []byte("\xfd7zXZ\x00")):
		err = u.run("xz", in)
	}
	return u, err
}

// run starts a program that unpacks.
func (u *unpacked) run(name string, in io.Reader) (err error) {
	program := ""
	for _, dir := range []string{"/usr/bin", "/bin", "/usr/local/bin"} {
		if path := filepath.Join(dir, name); program == "" && exec.CheckProgram(path) == nil {
			program = path
		}
	}
	if program == "" {
		return fmt.Errorf("%s is not installed; install it, or unpack the file before", name)
	}
	u.program = osexec.Command(program, "-dc")
	u.program.Stdin, u.program.Stderr = in, &u.said
	if u.Reader, err = u.program.StdoutPipe(); err == nil {
		err = u.program.Start()
	}
	return err
}

// Close waits for the program; the log must have been read to its end.
func (u *unpacked) Close() error {
	if u.program == nil || u.program.Process == nil || u.program.Wait() == nil {
		return nil
	}
	line, _, _ := strings.Cut(strings.TrimSpace(u.said.String()), "\n")
	return errors.New(cmp.Or(line, u.program.ProcessState.String()))
}
