package admin

import (
	"os"
	"testing"

	"sendwrap/tests/lab"
)

// In namespaces of their own: the networks that the tests block hold no address of the machine
// there.
func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }
