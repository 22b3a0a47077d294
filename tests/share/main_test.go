// Package share tests `sendwrap share` with a real engine, Debian's Redis, and three machines: each
// a network namespace with a ledger, a room, a guard and a share process of its own. What an engine
// can suffer is done to it, and what a hostile member can write is written.
//
// It needs root, for the namespaces; tests that cannot run are skipped, and with CI=true that is a
// failure.
package share

import (
	"os"
	"path/filepath"
	"testing"

	"sendwrap/tests/lab"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mta" {
		lab.StandIn()
	}
	os.Exit(lab.Isolate(lab.Setup{
		Build: func(dir string) error {
			if err := lab.BuildPair(dir, false); err != nil {
				return err
			}
			return lab.BuildShare(lab.Full(dir))
		},
		Args: []string{"-test.parallel=8"}, // they mostly wait
		Run:  m.Run,
	}))
}
