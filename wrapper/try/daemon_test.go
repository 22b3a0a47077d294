package try

import (
	"os"
	"runtime"
	"testing"
	"time"
)

// A thread of the show that ends, like one that was in another network, ends no daemon.
func TestDaemonOutlivesThread(t *testing.T) {
	program := itself(t, "a sendwrap that hangs")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()

	// Two at a time, since the first thread of a process never ends.
	started, end := make(chan *daemon), make(chan struct{})
	for range 2 {
		go func() {
			runtime.LockOSThread() // and never unlocks: the thread ends here
			d, err := startDaemon([]string{program, "sendwrap"}, [3]*os.File{null, null, null})
			if err != nil {
				t.Error(err)
			}
			started <- d
			<-end
		}()
	}
	daemons := []*daemon{<-started, <-started}
	close(end)
	time.Sleep(time.Second) // the kernel ends them at once, or not at all
	for _, d := range daemons {
		if d == nil {
			continue
		}
		select {
		case <-d.ended:
			t.Error(d.exit.unexpected("daemon"))
		default:
		}
		d.stop()
	}
}
