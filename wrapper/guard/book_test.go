package guard

import (
	"fmt"
	"testing"

	"sendwrap/tests/lab"
)

// book holds the log lines.
type book struct {
	*lab.Log
	path string
}

func openBook(t testing.TB, path string) *book {
	t.Helper()
	log, err := lab.NewLog("")
	if err == nil {
		err = log.Listen(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return &book{log, path}
}

// lines are the log lines so far that contain all parts.
func (b *book) lines(parts ...string) []string {
	if err := b.Settle(); err != nil {
		panic(err)
	}
	return b.Containing(parts...)
}

// await waits for a line that contains all parts, and returns the first one.
func (b *book) await(t testing.TB, parts ...string) string {
	t.Helper()
	lab.Eventually(t, fmt.Sprintf("a log line with %q", parts),
		func() bool { return len(b.lines(parts...)) > 0 })
	return b.lines(parts...)[0]
}
