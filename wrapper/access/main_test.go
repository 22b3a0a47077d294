package access

import (
	"os"
	"testing"

	"sendwrap/tests/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Isolate(lab.Setup{Run: m.Run})) }
