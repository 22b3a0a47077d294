package exec

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// The client sees the end of its connection, although the process goes on, and the test has another
// descriptor of it.
func TestCloseClient(t *testing.T) {
	logFile := openFile(t, t.TempDir()+"/log")
	for name, tt := range map[string]struct {
		fds    fds
		stderr string
	}{
		"inetd":     {fds{}, "/dev/null"},
		"tcpserver": {fds{stderr: logFile}, logFile.Name()},
		"another":   {fds{stderr: otherClient(t)}, "/dev/null"},
	} {
		s := start(t, setup{CloseClient: true}, tt.fds)
		s.send("go on\n")
		if rest, err := io.ReadAll(s.lines); err != nil || len(rest) > 0 { // it has a deadline
			t.Errorf("%s: the client reads %q, %v; want the end", name, rest, err)
		}
		deadline := time.Now().Add(lab.Patience)
		for s.link("fd/0") != "/dev/null" || s.link("fd/1") != "/dev/null" ||
			s.link("fd/2") != tt.stderr {
			if time.Now().After(deadline) {
				t.Fatalf("%s: fds 0 to 2 are %s, %s, %s; want /dev/null twice and %s", name,
					s.link("fd/0"), s.link("fd/1"), s.link("fd/2"), tt.stderr)
			}
			time.Sleep(time.Millisecond)
		}
		for _, fd := range s.fds() {
			// CloseClient may close /dev/null, which it has opened, at this moment.
			target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", s.pid, fd))
			if strings.HasPrefix(target, "socket:") {
				t.Errorf("%s: fd %s is %s", name, fd, target)
			}
		}
	}
}
