//go:build race

package ledger

// underRace says that the race detector is at work, which makes everything ten times slower.
const underRace = true
