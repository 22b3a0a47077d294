package main

import (
	"errors"
	osexec "os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// cat reads and writes once for each byte that comes and goes, and only while it is looked at.
func TestCountDaemon(t *testing.T) {
	cat := osexec.Command("cat")
	in, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cat.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	defer cat.Wait()
	defer in.Close()
	echo := func(n int) error {
		b := []byte{0}
		for range n {
			if _, err := in.Write(b); err != nil {
				return err
			}
			if _, err := out.Read(b); err != nil {
				return err
			}
		}
		return nil
	}
	if err := echo(10); err != nil {
		t.Fatal(err)
	}
	const n = 100
	got, err := countDaemon(child(cat.Process.Pid), func() error { return echo(n) })
	if errors.Is(err, unix.EPERM) {
		lab.Need(t, "ptrace is needed: "+err.Error())
	}
	// The read in which it is found, and the one in which it is left, may be counted or not.
	if err != nil || got.calls < 2*n || got.calls > 2*n+2 || got.made != 0 {
		t.Errorf("%+v, %v; want %d system calls", got, err, 2*n)
	}
	if err := echo(10); err != nil {
		t.Errorf("after it was counted: %v", err)
	}
}
