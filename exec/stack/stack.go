// Package stack makes the stack of the main goroutine large before anything else uses it. A program
// that lives for a moment imports it for that alone.
//
// Go's runtime makes a stack twice as large whenever a function finds it too small, from 2 kB on,
// or at once as large as the frame of that function. Each step but the last touches pages that are
// never used again: 12 of the 215 page faults of a refused client (measured). The package imports
// nothing, so that it comes before all packages whose initialization needs more than 2 kB.
package stack

// Size is the stack, in bytes, for which there is room from the beginning.
const Size = 20 << 10

// Grown is evidence that the stack has grown.
var Grown = grow(1)

// grow has a frame of Size bytes, and never writes it.
//
//go:noinline
func grow(n int) bool {
	if n > Size {
		var frame [Size]byte
		frame[n%Size]++
		return frame[n/2%Size] > 0
	}
	return true
}
