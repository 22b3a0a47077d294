//go:build !amd64 && !arm64

package exec

// entryAddress is 0: for this machine there is no _rt0_sendwrap.
func entryAddress() uintptr { return 0 }

// doorAddress is 0 as well.
func doorAddress() uintptr { return 0 }
