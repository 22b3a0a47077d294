// Started shows what a program finds at its beginning, for the tests of the entry points.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
)

func main() {
	vector, err := unix.Auxv()
	if err != nil {
		panic(err)
	}
	file, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		panic(err)
	}
	slack, err := os.ReadFile("/proc/self/timerslack_ns") // of the first thread
	if err != nil {
		panic(err)
	}
	err = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"Args": os.Args, "Environ": exec.Environ(), "All": os.Environ(),
		"Procs": runtime.GOMAXPROCS(0), "HidesStderr": exec.HidesStderr(),
		"Vector": vector, "File": file,
		"Slack": strings.TrimSpace(string(slack)),
	})
	if err != nil {
		panic(err)
	}
}
