package admin

import (
	"fmt"
	"runtime/debug"

	"sendwrap/wrapper"
)

// version names the build: module version or revision, the Go that made it, and which rooms it can take over.
func version(c *call) error {
	defer fmt.Fprintln(c.stdout, wrapper.TakesOver)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		fmt.Fprintln(c.stdout, "sendwrap (no build information)")
		return nil
	}
	name, revision, dirty := info.Main.Version, "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = " " + s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " (modified)"
		}
	}
	fmt.Fprintf(c.stdout, "sendwrap %s%s%s %s\n", name, revision, dirty, info.GoVersion)
	return nil
}
