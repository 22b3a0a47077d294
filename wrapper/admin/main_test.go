package admin

import (
	"os"
	"testing"

	"sendwrap/tests/lab"
)

// The tests run in namespaces of their own, in which the networks that they block hold no address
// of the machine.
func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }
