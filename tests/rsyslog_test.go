package tests

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"

	"sendwrap/tests/lab"
)

// rsyslog
//
// From here on a real rsyslogd is on /dev/log. Its log is rsyslog.log, in which a line begins with
// facility and severity, as those of maillog do. If it is there already it is started again.
func cmdRsyslog(ts *testscript.TestScript, neg bool, args []string) {
	s, m := scriptOf(ts), machineOf(ts)
	program := lab.Unpacked("rsyslog/usr/sbin/rsyslogd")
	lab.Need(s.t, lab.Lack(program, "/usr/lib/*/libestr.so.0", "/usr/lib/*/libfastjson.so.4"))
	modules, err := filepath.Glob(lab.Unpacked("rsyslog/usr/lib/*/rsyslog"))
	ts.Check(err)
	if s.rsyslog != nil {
		m.stop(s.rsyslog)
	} else {
		cmdNoSyslog(ts, neg, args)
	}
	work := ts.Getenv("WORK")
	conf := filepath.Join(work, "rsyslog.conf")
	ts.Check(os.WriteFile(conf, fmt.Appendf(nil, `module(load="imuxsock")
template(name="line" type="string"
	string="%%syslogfacility-text%%.%%syslogseverity-text%% %%syslogtag%%%%msg%%\n")
*.* action(type="omfile" file="%s/rsyslog.log" template="line")
`, work), 0o644))
	argv := []string{program, "-n", "-f", conf, "-i", "NONE", "-M", modules[0]}
	s.rsyslog, err = m.daemon(work, os.Environ(), argv, filepath.Join(work, "rsyslog.out"))
	ts.Check(err)
	listens := func() (it bool) {
		m.Do(func() {
			conn, err := net.Dial("unixgram", devLog)
			if it = err == nil; it {
				conn.Close()
			}
		})
		return it
	}
	if !lab.Await(listens) {
		ts.Fatalf("rsyslogd does not come up")
	}
}
