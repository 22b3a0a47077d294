package loglines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An administrator who may not read the journal reads why, however much journalctl complains.
func TestJournalctlComplains(t *testing.T) {
	journalctl := filepath.Join(t.TempDir(), "journalctl")
	const program = "#!/bin/sh\necho 'No journal files were opened: permission denied' >&2\n" +
		"head -c 1000000 /dev/zero >&2\nexit 1\n"
	if err := os.WriteFile(journalctl, []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	o := Sources{Now: time.Now(), Zone: time.UTC, MailLog: journalctl + ".log",
		Journalctl: journalctl}
	u, err := o.Read(time.Time{}, func(*Line) {})
	if err == nil || !strings.HasSuffix(err.Error(), "1: No journal files were opened: "+
		"permission denied") {
		t.Errorf("%v, %+v", err, u)
	}
}
