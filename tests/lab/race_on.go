//go:build race

package lab

// Race says whether the tests run with the race detector.
const Race = true
