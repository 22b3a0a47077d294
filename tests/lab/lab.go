// Package lab is what the tests and the benchmark share: a machine of their own in namespaces, its
// syslogd, programs that run for a while, SMTP clients, super-servers and mail servers.
//
// No file of the machine is touched, and a test that fails leaves nothing behind. A test that is
// killed leaves a directory, which the next run removes.
//
// A string says what a machine lacks; it is "" if the machine lacks nothing: Lack looks for files,
// NoSendmail, NoPostfix and NoNamespaces for several things together, and Missing makes the text.
// Need skips a test for such a string; NeedRoot and NeedProgram do so by themselves, and NeedKernel
// for what no package brings.
package lab

import (
	"os"
	"testing"
	"time"
)

// Patience bounds the wait for an event that must happen. It is far longer than a slow and busy
// machine needs, and costs nothing when the event happens at once.
const Patience = 4 * time.Minute

// Skipper is a test, or a script that is one.
type Skipper interface {
	Skip(...any)
	Fatal(...any)
}

// Need skips the test if the machine lacks something: missing says what; "" is nothing. With
// CI=true that is a failure, since there everything must be tested.
func Need(t Skipper, missing string) {
	if missing == "" {
		return
	}
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(missing)
	} else {
		t.Skip(missing)
	}
}

// NeedKernel skips the test if the kernel, or a container around the tests, refuses something; also
// with CI=true, since no package brings that.
func NeedKernel(t Skipper, refused string) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
	t.Skip(refused)
}

// NeedRoot skips the test unless root runs it.
func NeedRoot(t Skipper) {
	if os.Geteuid() != 0 {
		Need(t, "needs root; run the tests as root")
	}
}

// NeedProgram returns the path of a program, and skips the test if the machine has none.
func NeedProgram(t Skipper, name string) string {
	path := Find(name)
	if path == "" {
		Need(t, Missing(name))
	}
	return path
}

// Await waits until ok holds, and reports whether it did within Patience.
func Await(ok func() bool) bool {
	pause := time.Millisecond
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(pause) {
		if time.Now().After(deadline) {
			return false
		}
		pause = min(2*pause, 20*time.Millisecond)
	}
	return true
}

// Eventually ends the test unless ok comes to hold within Patience; what describes ok.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	if !Await(ok) {
		t.Fatalf("not within %v: %s", Patience, what)
	}
}
