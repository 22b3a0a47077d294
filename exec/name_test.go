package exec

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The process has the name, whichever thread gives it.
func TestSetName(t *testing.T) {
	before, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	defer SetName(strings.TrimSpace(string(before)))
	done := make(chan bool)
	var name func()
	name = func() { // on another thread than the first one
		runtime.LockOSThread() // never unlocked: the thread ends
		if unix.Gettid() == unix.Getpid() {
			go name()
			<-done
			return
		}
		SetName(RoomName)
		close(done)
	}
	go name()
	<-done
	if got, err := os.ReadFile("/proc/self/comm"); err != nil || string(got) != RoomName+"\n" {
		t.Errorf("the name is %q, %v", got, err)
	}
	for _, name := range []string{RoomName, GuardName} {
		if len(name) > 15 { // the kernel's limit
			t.Errorf("%s has %d bytes", name, len(name))
		}
	}
}
