package exec

import "golang.org/x/sys/unix"

// The names of processes that run for long, in `ps -o comm` and for `pkill -x`: a signal for one of
// them must not reach the others, nor a process with one client, which is called sendwrap. They
// have 15 bytes at most.
const (
	RoomName  = "sendwrap-room"
	GuardName = "sendwrap-guard"
)

// SetName gives this process a name, until the next execve(2). Any goroutine may call it: the file
// is the name of the process's first thread, which is the one that ps(1) shows, while prctl(2)
// would name the calling thread. Without /proc nothing happens, and ps(1) finds no names either.
func SetName(name string) {
	fd, err := unix.Open("/proc/self/comm", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_, _ = unix.Write(fd, []byte(name))
}
