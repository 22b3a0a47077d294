package ledger

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is the ledger's file in memory. All unsafe code of the ledger is in this file: views of
// the mapped bytes as structs without pointers, each checked against the end of the mapping.
type mapping []byte

// mapFile maps the whole file. It does not use unix.Mmap, which keeps a table of all mappings: some
// kilobytes of private memory in each waiting process.
func mapFile(fd, size int) (mapping, error) {
	return mapFileAs(fd, size, unix.PROT_READ|unix.PROT_WRITE)
}

// mapFileAs is mapFile with another protection (mmap(2)).
func mapFileAs(fd, size, prot int) (mapping, error) {
	at, err := unix.MmapPtr(fd, 0, nil, uintptr(size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(at), size), nil
}

// madvPopulateWrite is MADV_POPULATE_WRITE (madvise(2), Linux 5.14).
const madvPopulateWrite = 23

// populate has the kernel read the whole file and map it for writing, now rather than page by page
// when each is needed. It changes no byte, and an error, of an older kernel for instance, changes
// nothing.
func (m mapping) populate() { _ = unix.Madvise(m, madvPopulateWrite) }

func (m mapping) unmap() error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(m)), uintptr(len(m)))
}

// setPanicOnFault has a fault of this goroutine at an address of the mapping panic instead of
// ending the process, and returns what held before. It is debug.SetPanicOnFault, by the name that
// Go's runtime gives to it: package runtime/debug itself brings fmt into each process. A Go without
// that name does not link this program.
//
//go:linkname setPanicOnFault runtime/debug.setPanicOnFault
func setPanicOnFault(on bool) (old bool)

// view lays a T over the bytes that begin at offset at, a multiple of 8. It panics where a slice
// would: an offset outside the mapping is a bug in this package, since numbers from the file are
// checked first.
func view[T any](m mapping, at int) *T {
	var t T
	b := m[at : at+int(unsafe.Sizeof(t))]
	return (*T)(unsafe.Pointer(unsafe.SliceData(b)))
}

// bytesOf is the memory of *p as bytes, to read and write headers.
func bytesOf[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}

// words is the n 64-bit words that begin at offset at.
func words(m mapping, at, n int) []uint64 {
	return unsafe.Slice(view[uint64](m[:at+n*8], at), n)
}

// Operations of futex(2) on a word that processes share.
const futexWaitOp, futexWakeOp = 0, 1

// futexWait sleeps until another process wakes one at the word, or until the timeout. It does not
// sleep if the word has another value by now. It reports false if it could not sleep.
func futexWait(word *atomic.Uint32, value uint32, timeout *unix.Timespec) bool {
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitOp,
		uintptr(value), uintptr(unsafe.Pointer(timeout)), 0, 0)
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT:
		return true
	}
	return false
}

// futexWake wakes one process that sleeps at the word.
func futexWake(word *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeOp,
		1, 0, 0, 0)
}

// threadTime is the processor time of the calling thread, 0 if unknown. The time that it waits for
// a processor must not count as work. Like flock it goes past Go's scheduler, since the lock is
// held.
func threadTime() time.Duration {
	var ts unix.Timespec
	_, _, errno := unix.RawSyscall(unix.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID,
		uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return 0
	}
	return time.Duration(ts.Nano())
}
