//go:build !door && !metrics

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"sendwrap/wrapper/admin"
)

// metricsName is the metrics program, which is installed beside the full one.
const metricsName = "sendwrap-metrics"

// becomeMetrics becomes the metrics program. It returns only if that cannot be started.
func becomeMetrics(args []string) int {
	own, err := os.Executable()
	if err == nil {
		path := filepath.Join(filepath.Dir(own), metricsName)
		err = syscall.Exec(path, append([]string{metricsName}, args...), os.Environ())
		err = &os.PathError{Op: "exec", Path: path, Err: err}
	}
	fmt.Fprintf(os.Stderr, "sendwrap metrics: %v; install that program, too: make install, or "+
		"go build -tags=metrics -o it\n", err)
	return admin.ExitTemporary
}
