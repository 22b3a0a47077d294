// Package guard holds `sendwrap guard` to its promises with the MTAs for which it was made: a real sendmail behind a real inetd and
// sendwrap, a real sendmail that is a daemon, a real Postfix. Clients come from another network namespace over a wire, so
// that none has an address of the machine.
//
// Each test runs with each of the three (site_test.go), over IPv4 and IPv6, with STARTTLS and without (client_test.go), as far as it makes a
// difference. It needs root, for namespaces of its own (namespace_test.go); what cannot run is skipped by name, and with CI=true a
// skip is a failure.
package guard

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// The programs that are tested, and where they and all sites are.
var (
	sendwrap string // behind inetd, and for commands
	guard    string // the same; with the race detector where the tests have it
	workDir  string
)

// workVar tells the tests inside the namespaces where build has put things.
const workVar = "SENDWRAP_GUARD_TESTS"

// The main thread is kept for the main goroutine: the thread that lives in the clients' network must be another one.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	switch os.Getenv(stageVar) {
	case "":
		os.Exit(enter(build))
	case stageInit:
		os.Exit(initMain())
	}
	workDir = os.Getenv(workVar)
	sendwrap, guard = filepath.Join(workDir, "sendwrap"), filepath.Join(workDir, "guard")
	os.Exit(m.Run())
}

// build makes the programs in dir, and what all sites share.
func build(dir string) error {
	if err := goBuild(filepath.Join(dir, "sendwrap"), "CGO_ENABLED=0"); err != nil {
		return err
	}
	if !raceDetector {
		if err := os.Link(filepath.Join(dir, "sendwrap"), filepath.Join(dir, "guard")); err != nil {
			return err
		}
	} else if err := goBuild(filepath.Join(dir, "guard"), "CGO_ENABLED=1", "-race"); err != nil {
		return err
	}
	if err := makeCertificate(dir); err != nil {
		return err
	}
	return os.Setenv(workVar, dir)
}

func goBuild(program, env string, flags ...string) error {
	cmd := exec.Command("go", append([]string{"build", "-trimpath", "-o", program}, append(flags, "sendwrap")...)...)
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return nil
}

// need skips the test if the machine lacks something, and says what. Where CI promises to have everything, that is a failure.
func need(t *testing.T, missing string) {
	t.Helper()
	switch {
	case missing == "":
	case os.Getenv("CI") == "true":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}
