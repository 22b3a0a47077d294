package exec

import "golang.org/x/sys/unix"

// Under inetd and xinetd, fd 2 is the client's socket, and Go's runtime writes its error messages
// to fd 2. It starts threads before main runs: on a machine without a free process, the client read
// "runtime: failed to create new OS thread" as its greeting.
//
// So the program begins with _rt0_sendwrap, a few lines of assembler that the linker makes its
// entry point (-ldflags=-E=_rt0_sendwrap, see Makefile). They point fd 2 at /dev/null if it is a
// client's by the rule of isClient, set stderrAt, and jump to the runtime's entry point. Memory,
// stack and all other descriptors are unchanged, and without /dev/null so is fd 2.
//
// A process with the name [RelayName] does none of this, and the runtime does not start at all: the
// relay is Go code that works without it.
//
// The door, which serves one client, begins with _rt0_sendwrap_door. It does the same, and before
// that it puts GOMAXPROCS=1 into the environment that Go's runtime reads, unless there is one: the
// runtime prepares to use every processor, and with two of them 30 of 195 page faults are for the
// second (measured). What /proc shows stays as it was. [os.Environ] has the entry, [Environ] has
// not. It also allows the kernel to wake a thread 5 ms late (PR_SET_TIMERSLACK). A thread of the
// runtime looks every 20 µs whether another one waits in the kernel: a refused client takes 2 ms,
// and 15 % of its processor time was for that, with a change of threads each time (measured). The
// program that we become gets what we found: see restoreTimerSlack.
//
// Without the flag, as with `go run` or `go install`, and with cgo, where C code begins, the
// program works too: [TakeStdio] does the same a little later, and the relay runs within the
// runtime.

// stderrAt is the descriptor that fd 2 was: 2, unless the entry point has hidden it. Then it is a
// close-on-exec copy, or 0 if fd 0 is the same socket.
var stderrAt int32 = 2

// timerSlack is what the process came with, in ns, if the entry point has changed it.
var timerSlack uint64

// restoreTimerSlack gives the calling thread the timer slack that the process came with. execve(2)
// passes on that of its thread. It is a raw call, since from others a goroutine may come back on
// another thread.
func restoreTimerSlack() {
	if timerSlack > 0 {
		unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0)
	}
}

// procsAdded is 1 if the entry point has put GOMAXPROCS=1 into the environment.
var procsAdded int32

// HidesStderr reports whether the program began with one of these entry points, so that no client
// can read an error message of Go's runtime.
func HidesStderr() bool {
	const entry = 9 // AT_ENTRY of getauxval(3)
	vector, _ := unix.Auxv()
	for _, v := range vector {
		if v[0] == entry {
			return v[1] == entryAddress() || v[1] == doorAddress()
		}
	}
	return false
}
