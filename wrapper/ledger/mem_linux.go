package ledger

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is the ledger's file in memory. This file holds all the project's
// unsafe code: views of the mapped bytes as structs without pointers, each
// of them checked against the end of the mapping.
type mapping []byte

// mapFile maps the whole file. Not by unix.Mmap, which keeps a table of all mappings: some
// kilobytes of private memory for each process that waits.
func mapFile(fd, size int) (mapping, error) {
	at, err := unix.MmapPtr(fd, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(at), size), nil
}

func (m mapping) unmap() error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(m)), uintptr(len(m)))
}

// view lays a T over the bytes that begin at offset at, which must be a
// multiple of 8. It panics where a slice would: an offset outside the mapping
// is a mistake in this package, since numbers read from the file are checked first.
func view[T any](m mapping, at int) *T {
	var t T
	b := m[at : at+int(unsafe.Sizeof(t))]
	return (*T)(unsafe.Pointer(unsafe.SliceData(b)))
}

// bytesOf is the memory of *p as bytes, to read and write headers.
func bytesOf[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}

// words is n 64-bit words from offset at on.
func words(m mapping, at, n int) []uint64 {
	return unsafe.Slice(view[uint64](m[:at+n*8], at), n)
}
