package lab

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Thread lives in namespaces of its own, which are gone when it is closed. A mount or a network
// namespace belongs to a thread: Do runs there what must happen in it, the start of a program or
// the making of a socket. (A socket stays in the network in which it was made.)
type Thread struct {
	ID   int // as `ip link … netns ID` wants it
	jobs chan func()
}

// NewThread starts one in new namespaces: unix.CLONE_NEWNET, CLONE_NEWNS or both. Mounts are
// private.
func NewThread(namespaces int) (*Thread, error) {
	t := &Thread{jobs: make(chan func())}
	ready := make(chan error)
	go t.serve(namespaces, ready)
	if err := <-ready; err != nil {
		return nil, err
	}
	return t, nil
}

// serve does the jobs, on a thread that no other goroutine gets before or after.
func (t *Thread) serve(namespaces int, ready chan<- error) {
	runtime.LockOSThread() // and never unlocks: the thread ends with the goroutine
	t.ID = unix.Gettid()
	if _, starter := starters.Load(t.ID); starter || t.ID == os.Getpid() {
		// /proc shows the main thread's namespaces as those of this process. And a daemon would end
		// with the thread that has started it. This goroutine keeps either thread for itself.
		go t.serve(namespaces, ready)
		select {}
	}
	err := unix.Unshare(namespaces | unix.CLONE_FS) // CLONE_FS: an umask and a directory of its own
	if err == nil && namespaces&unix.CLONE_NEWNS != 0 {
		err = unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err != nil {
		ready <- fmt.Errorf("no namespace of its own for a thread (run it as root): %w", err)
		return
	}
	ready <- nil
	for job := range t.jobs {
		job()
	}
}

// Do makes the thread do a job, and returns when that is done.
func (t *Thread) Do(job func()) {
	done := make(chan struct{})
	t.jobs <- func() {
		defer close(done)
		job()
	}
	<-done
}

// Close ends the thread. Programs that it has started with Pdeathsig get their signal then.
func (t *Thread) Close() { close(t.jobs) }
