// Package guard tests `sendwrap guard` with the MTAs that it supports: a real sendmail behind a
// real inetd and sendwrap, a real sendmail that is a daemon, a real Postfix. Clients connect from
// another network namespace, so that none has an address of the machine.
//
// Each test runs with each of the three (site_test.go), over IPv4 and IPv6, with STARTTLS and
// without (client_test.go), as far as it makes a difference. It needs root, for namespaces of its
// own (tests/lab); tests that cannot run are skipped, and with CI=true that is a failure.
package guard

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// The programs that are tested, in the directory of the certificate and of all sites: what is
// behind inetd and for commands, and the guard, with the race detector where the tests have it.
var (
	sendwrap = lab.Door(lab.Dir())
	guard    = lab.Door(inLab("guard"))
)

func inLab(name string) string { return filepath.Join(lab.Dir(), name) }

// All tests share the mail log of the machine, and the network in which clients live.
var (
	maillog *lab.Log
	abroad  *lab.Thread
)

// maillogVar names a file for the mail log, to look into a failed test.
const maillogVar = "SENDWRAP_GUARD_MAILLOG"

func TestMain(m *testing.M) {
	os.Exit(lab.Isolate(lab.Setup{
		Build:   build,
		Prepare: configureSASL,
		Args:    []string{"-test.parallel=8"}, // they mostly wait
		Run: func() int {
			if err := open(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			return m.Run()
		},
	}))
}

// build makes the programs in dir, and what all sites share.
func build(dir string) error {
	if err := lab.BuildPair(dir, false); err != nil {
		return err
	}
	if err := lab.BuildView(lab.Full(dir)); err != nil {
		return err
	}
	if err := lab.BuildPair(filepath.Join(dir, "guard"), lab.Race); err != nil {
		return err
	}
	return makeCertificate(dir)
}

// open begins the mail log and lays the wire to the clients.
func open() (err error) {
	if lab.NoNamespaces() != "" {
		return nil // newSite skips
	}
	if maillog, err = lab.NewLog(os.Getenv(maillogVar)); err != nil {
		return err
	}
	if err := maillog.Listen("/dev/log"); err != nil {
		return err
	}
	if abroad, err = lab.NewThread(unix.CLONE_NEWNET); err != nil {
		return err
	}
	return layWire()
}
