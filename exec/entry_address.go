//go:build amd64 || arm64

package exec

// entryAddress is the address of _rt0_sendwrap.
func entryAddress() uintptr

// doorAddress is the address of _rt0_sendwrap_door.
func doorAddress() uintptr
