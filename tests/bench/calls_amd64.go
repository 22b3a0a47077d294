package main

import "golang.org/x/sys/unix"

// callNames are the system calls that have a place in the list, by number. Others are called by
// their number.
var callNames = map[int]string{
	unix.SYS_ACCEPT4: "accept4", unix.SYS_ARCH_PRCTL: "arch_prctl",
	unix.SYS_CLOCK_GETTIME: "clock_gettime", unix.SYS_CLONE: "clone", unix.SYS_CLOSE: "close",
	unix.SYS_CLOSE_RANGE: "close_range", unix.SYS_CONNECT: "connect", unix.SYS_DUP3: "dup3",
	unix.SYS_EPOLL_CREATE1: "epoll_create1", unix.SYS_EPOLL_CTL: "epoll_ctl",
	unix.SYS_EVENTFD2: "eventfd2", unix.SYS_EXECVE: "execve", unix.SYS_EXIT_GROUP: "exit_group",
	unix.SYS_FCNTL: "fcntl", unix.SYS_FLOCK: "flock", unix.SYS_FSTAT: "fstat",
	unix.SYS_FSTATFS: "fstatfs", unix.SYS_GETPEERNAME: "getpeername", unix.SYS_GETPID: "getpid",
	unix.SYS_GETRLIMIT: "getrlimit", unix.SYS_GETSOCKNAME: "getsockname",
	unix.SYS_GETSOCKOPT: "getsockopt", unix.SYS_GETTID: "gettid", unix.SYS_GETUID: "getuid",
	unix.SYS_GETEUID: "geteuid", unix.SYS_GETRANDOM: "getrandom", unix.SYS_IOCTL: "ioctl",
	unix.SYS_LSEEK: "lseek", unix.SYS_LSTAT: "lstat", unix.SYS_MADVISE: "madvise",
	unix.SYS_MMAP: "mmap", unix.SYS_MPROTECT: "mprotect", unix.SYS_MUNMAP: "munmap",
	unix.SYS_NEWFSTATAT: "newfstatat", unix.SYS_OPENAT: "openat", unix.SYS_POLL: "poll",
	unix.SYS_PPOLL: "ppoll", unix.SYS_PRCTL: "prctl", unix.SYS_PREAD64: "pread64",
	unix.SYS_PRLIMIT64: "prlimit64", unix.SYS_READ: "read", unix.SYS_READLINKAT: "readlinkat",
	unix.SYS_RECVFROM: "recvfrom", unix.SYS_RT_SIGACTION: "rt_sigaction",
	unix.SYS_RT_SIGPROCMASK: "rt_sigprocmask", unix.SYS_SCHED_GETAFFINITY: "sched_getaffinity",
	unix.SYS_SENDMSG: "sendmsg", unix.SYS_SENDTO: "sendto", unix.SYS_SETRLIMIT: "setrlimit",
	unix.SYS_SETSOCKOPT: "setsockopt", unix.SYS_SHUTDOWN: "shutdown",
	unix.SYS_SIGALTSTACK: "sigaltstack", unix.SYS_SOCKET: "socket", unix.SYS_STAT: "stat",
	unix.SYS_STATX: "statx", unix.SYS_UNAME: "uname", unix.SYS_WRITE: "write",
}
