//go:build !door && !view && !share

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sendwrap/wrapper/admin"
)

// viewName is the view program, which is installed beside the full one.
const viewName = "sendwrap-view"

// becomeView becomes the view program, for one of its commands. It returns only if that cannot be
// started.
func becomeView(args []string) int {
	own, err := os.Executable()
	if err == nil {
		path := filepath.Join(filepath.Dir(own), viewName)
		err = syscall.Exec(path, append([]string{viewName}, args...), os.Environ())
		err = &os.PathError{Op: "exec", Path: path, Err: err}
	}
	fmt.Fprintf(os.Stderr, "sendwrap %s: %v; install that program, too: make install, or "+
		"go build -tags=view -o it\n", args[0], err)
	return admin.ExitTemporary
}
