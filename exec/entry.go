package exec

// Under inetd and xinetd fd 2 is the client's socket, and what Go's runtime has to say it writes to
// fd 2. It starts threads before main runs: where no process can be had any more, the client read
// "runtime: failed to create new OS thread" as a greeting.
//
// So the program does not begin with the runtime but with _rt0_sendwrap, a few lines of assembler
// that the linker makes its entry point (-ldflags=-E=_rt0_sendwrap; the Makefile has it). They
// point fd 2 at /dev/null if it is a client's by the rule of isClient, note in stderrAt where it is
// kept, and begin with the runtime as ever: memory, stack and all other descriptors are untouched.
// Where there is no /dev/null all stays as it was.
//
// Under the name of [RelayName] nothing of that is done, and the runtime does not begin at all: the
// program is the relay, in Go that does without it.
//
// Without the flag, as with `go run`, and with cgo, where C begins, nothing of this is in the
// program: [TakeStdio] does the same, a little later, and the relay has a runtime.

// stderrAt is where the fd 2 that we were given is: 2, unless it was hidden before the runtime
// began. Then it is a copy marked close-on-exec, or 0 where that is the same socket.
var stderrAt int32 = 2
