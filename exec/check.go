package exec

import (
	"os"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/fileaccess"
)

// CheckProgram returns why the program at path could not be started, as far as its file shows; nil
// if it could. The error is an [*os.PathError], as of a start.
func CheckProgram(path string) error {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == nil && (st.Mode&unix.S_IFMT != unix.S_IFREG || st.Mode&0o111 == 0) {
		err = explain(path, unix.EACCES)
	}
	if err != nil {
		return &os.PathError{Op: "exec", Path: path, Err: err}
	}
	return nil
}

// CheckHook returns why [Hooks.Run] refuses the program at path, nil if it does not. It refuses
// what CheckProgram does, and a program that other users could change, since we may be root.
func CheckHook(path string) error {
	if err := CheckProgram(path); err != nil {
		return err
	}
	return fileaccess.CheckPath(path)
}
