package enforce

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
	"sendwrap/wrapper/ledger"
)

// The log names a process that cannot be signalled, and the others of its network end. A user
// without privileges meets such processes.
func TestCannotEnd(t *testing.T) {
	lab.NeedRoot(t)
	const nobody = 65534
	p := inPlace(t, "block grace=0s")
	roots, own := p.serve("192.0.2.9"), p.processAs(nobody)
	own.enter("192.0.2.9", func(*ledger.Process) {}, true)
	b := p.block("192.0.2.9/32", time.Hour)
	open := func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	}
	err := errors.Join(os.Chmod(filepath.Dir(p.dir), 0o755), filepath.WalkDir(p.dir, open))
	if err != nil {
		t.Fatal(err)
	}
	cmd := p.elsewhere(b)
	cmd.SysProcAttr = as(nobody)
	out, err := cmd.CombinedOutput()
	pid := roots.cmd.Process.Pid
	for _, want := range []string{
		fmt.Sprintf("process %d of 192.0.2.9:4242 cannot be ended: operation not permitted\n", pid),
		"END network=192.0.2.9/32 ended=1 ",
	} {
		if strings.Count(string(out), want) != 1 || err == nil {
			t.Errorf("%v, log %q; want %q", err, out, want)
		}
	}
	own.ends()
	if !roots.leftAlone() {
		t.Error("the test proves nothing: a process that cannot be ended was")
	}
}

// The log says why the ledger cannot be opened.
func TestCannotOpen(t *testing.T) {
	p := inPlace(t, "block grace=0s")
	b := p.block("192.0.2.9/32", time.Hour)
	if err := os.Chmod(p.file("state"), 0o777); err != nil { // where others could put one of theirs
		t.Fatal(err)
	}
	o := p.enforcer().CarryOut(b)
	logged := p.logged("mode 0777 lets others replace what is in it", "a block is not carried out")
	if len(o.Failed) != 1 || logged != 1 {
		t.Errorf("failed %v, log %q", o.Failed, p.said())
	}
}
