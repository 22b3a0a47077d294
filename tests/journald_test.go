package tests

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// journald
//
// From here on a real systemd-journald is on /dev/log, and there is nothing in /var/log.
func cmdJournald(ts *testscript.TestScript, neg bool, args []string) {
	const program = "/lib/systemd/systemd-journald"
	s, m := scriptOf(ts), machineOf(ts)
	lab.Need(s.t, lab.Lack(program, "/etc/machine-id"))
	lab.NeedProgram(s.t, "journalctl")
	cmdNoSyslog(ts, neg, args)
	const socket = "/run/systemd/journal/dev-log"
	var err error
	m.Do(func() {
		err = unix.Mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755")
		if err == nil {
			err = os.Symlink(socket, devLog)
		}
	})
	ts.Check(err)
	work := ts.Getenv("WORK")
	_, err = m.daemon(work, os.Environ(), []string{program}, filepath.Join(work, "journald.out"))
	ts.Check(err)
	if !lab.Await(func() (listens bool) {
		m.Do(func() { listens = unix.Access(socket, unix.W_OK) == nil })
		return listens
	}) {
		ts.Fatalf("journald does not come up")
	}
}
