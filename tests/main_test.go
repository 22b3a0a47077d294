// Package tests runs sendwrap end to end: the real program, started by real super-servers, spoken
// to by real TCP clients.
//
// The tests are scripts/*.txtar, written for a mail administrator: the super-server, the client's
// dialogue, what the client and the mail log must show. scripts/README.md lists the commands.
//
// Everything runs on a machine of its own (package lab), so that port 25, any client address and
// the mail log are the tests' own. That needs root; tests that cannot run are skipped by name, and
// with CI=true a skip is a failure.
package tests

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sendwrap/tests/lab"
)

// programs are those that the test binary itself plays when it is started under their name.
var programs = map[string]func(){
	"sendmail":   lab.StandIn,
	"lockholder": func() { lab.HoldLock(os.Args[1]) },
}

func TestMain(m *testing.M) {
	if programs[filepath.Base(os.Args[0])] != nil {
		testscript.Main(m, programs)
	}
	os.Exit(lab.Isolate(lab.Setup{
		Build:   build,
		Prepare: lab.ClientsHere,
		Args:    []string{"-test.parallel=8"}, // scripts mostly wait
		Run: func() int {
			testscript.Main(m, programs)
			return 0 // it has ended the program
		},
	}))
}

// build makes all programs in dir. An administrator's own is taken from $SENDWRAP, for both.
func build(dir string) error {
	if slices.Contains(os.Args, "-testwork") {
		os.Setenv("GOTMPDIR", os.TempDir()) // what is to be kept must not be in dir, which goes
	}
	if own := os.Getenv("SENDWRAP"); own != "" {
		door := lab.Door(dir)
		if err := os.MkdirAll(filepath.Dir(door), 0o755); err != nil {
			return err
		}
		return os.Symlink(own, door)
	}
	os.Setenv("SENDWRAP", lab.Full(dir))
	if err := lab.BuildPair(dir, false); err != nil {
		return err
	}
	return lab.BuildView(lab.Full(dir))
}
