package admin

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/policy"
)

// version prints version, revision, the Go that built it, which rooms it can take over and which
// policies it knows.
func version(c *call) error {
	text := "sendwrap " + wrapper.Version
	if info, ok := debug.ReadBuildInfo(); ok {
		var revision, modified string
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " " + s.Value[:min(12, len(s.Value))]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " (modified)"
			}
		}
		text += revision + modified
	}
	fmt.Fprintln(c.stdout, text, runtime.Version())
	fmt.Fprintln(c.stdout, wrapper.TakesOver)
	fmt.Fprintf(c.stdout, "reads and writes policies of version %d\n", policy.Version)
	if !exec.HidesStderr() {
		fmt.Fprintln(c.stdout, "built without -ldflags=-E=_rt0_sendwrap:\n"+
			"under inetd and xinetd, a client can read an error of Go's runtime")
	}
	return nil
}
