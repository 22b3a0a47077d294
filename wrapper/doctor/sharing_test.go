package doctor

import (
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/wrapper/ledger"
)

// What is to be shared and is not, because of the process or of the engine, is said.
func TestNotShared(t *testing.T) {
	l, _, err := ledger.Open(filepath.Join(t.TempDir(), "ledger"), 1024, ledger.ThisBoot())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, tt := range []struct {
		conf string
		does func(tx *ledger.Tx)
		want string // what is said, or ""
	}{
		{"", func(*ledger.Tx) {}, ""},
		{"share_engine valkey://engine\n", func(*ledger.Tx) {}, "sendwrap share does not run"},
		{"share_engine valkey://engine\n", func(tx *ledger.Tx) { tx.Share("mx1", 1) },
			"the engine is away"},
		{"share_engine valkey://engine\n", func(tx *ledger.Tx) { tx.NoteConnected(true) }, ""},
	} {
		if err := l.Do(ledger.Now(), tt.does); err != nil {
			t.Fatal(err)
		}
		s := site(t, tt.conf, nil)
		s.Ledger = l
		got := s.found("sharing")
		if !strings.Contains(got, tt.want) || (got == "") != (tt.want == "") {
			t.Errorf("got %q; want %q", got, tt.want)
		}
	}
}
