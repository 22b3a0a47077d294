package try

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// A thread of the show that ends, as one that was in another network must, takes no daemon with it.
func TestDaemonOutlivesThread(t *testing.T) {
	program := itself(t, "a sendwrap that hangs")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	var d *daemon
	started := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocks: the thread ends here
		d, err = startDaemon([]string{program, "sendwrap"}, [3]*os.File{null, null, null})
		close(started)
	}()
	<-started
	if err != nil {
		t.Fatal(err)
	}
	defer d.stop()
	select {
	case <-d.ended:
		t.Error(d.how.unasked("daemon"))
	case <-time.After(time.Second): // it took none when the kernel ended it
	}
}
