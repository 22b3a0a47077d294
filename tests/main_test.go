// Package tests runs sendwrap end to end: the real program, started by real super-servers, spoken to by real TCP clients.
//
// What is tested stands in scripts/*.txtar, written for a mail administrator: the super-server, the client's dialogue, what the
// client and the mail log must show. The commands of these scripts are listed in scripts/README.md.
//
// Everything runs in namespaces of its own (see namespace_test.go), so that port 25, any client address and the mail log are the
// tests' own and nothing outside is touched. That needs root; what cannot run is skipped by name, and with CI=true a skip is a failure.
package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// programs are those that the test binary itself plays when it is started under their name.
var programs = map[string]func(){
	"sendmail":   standinMain,  // the MTA behind sendwrap in most scripts
	"lockholder": holdLockMain, // a process that has stopped with the ledger in its hands
}

func TestMain(m *testing.M) {
	if programs[filepath.Base(os.Args[0])] == nil {
		switch os.Getenv(stageVar) {
		case "":
			os.Exit(enter(build))
		case stageInit:
			os.Exit(initMain())
		}
	}
	testscript.Main(m, programs)
}

// build makes the sendwrap that is tested, as `make` does, in dir. An administrator's own is taken from $SENDWRAP.
func build(dir string) error {
	if os.Getenv("SENDWRAP") != "" {
		return nil
	}
	sendwrap := filepath.Join(dir, "sendwrap")
	cmd := exec.Command("go", "build", "-trimpath", "-o", sendwrap, "sendwrap")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return os.Setenv("SENDWRAP", sendwrap)
}

// need skips the test if the machine lacks something, and says what. Where CI promises to have everything, that is a failure.
func need(t interface {
	Skip(...any)
	Fatal(...any)
}, missing string) {
	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	}
	t.Skip(missing)
}
