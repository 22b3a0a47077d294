package courier

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/valkey-io/valkey-go"
)

// The report says of each machine how far behind it was, and what keeps it from sharing.
func TestDescribe(t *testing.T) {
	const now = "1800000010000"
	c := &courier{}
	c.Name, c.Instance, c.CountBy = "mx1", "1", "32/64"
	stream := []valkey.XRangeEntry{{ID: "1800000009000-2"}}
	for _, tt := range []struct {
		name, noted string
		last        []valkey.XRangeEntry
		want        string
	}{
		{"mx2", "1.0 7 1800000007000 1800000009000-2 32/64", stream,
			`mx2: sendwrap "1.0", seen 3 s ago, has read everything`},
		{"mx2", "1.0 7 1800000007000 1800000009000-1 32/64", stream, "was 0s behind then"},
		{"mx2", "1.0 7 1800000007000 1800000007500-9 32/64", stream, "was 1.5s behind then"},
		{"mx2", "1.0 7 1800000007000 0-0 32/64", stream, "has read nothing yet"},
		{"mx2", "1.0 7 1800000007000 0-0 32/64", nil, "has read everything"},
		{"mx2", "1.0 7 1800000099000 0-0 32/64", nil, "seen 0 s ago"},
		{"mx2", "1.0 7 1800000007000 0-0 24/48", nil, `counts by "24/48", this machine by "32/64"`},
		{"mx1", "1.0 7 1800000007000 0-0 32/64", nil, "give each a share_name of its own"},
	} {
		got := c.describe(tt.name, parseHere(tt.noted), now, tt.last)
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q; want %q", tt.noted, got, tt.want)
		}
	}
	own := c.describe("mx1", parseHere("1.0 1 1800000007000 0-0 32/64"), now, nil)
	if strings.Contains(own, ";") {
		t.Errorf("of this machine: %q", own)
	}
}

// Where no engine can be reached, the log says what to look at.
func TestReason(t *testing.T) {
	c := &courier{}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{unix.ENOENT, "no such file or directory; start the engine, or write the path of its "},
		{unix.EHOSTUNREACH, "no route to host; see whether its machine runs"},
		{unix.ENETUNREACH, "network is unreachable; see whether this machine's network works"},
		{unix.ECONNREFUSED, "connection refused; start the engine, or write its address"},
		{context.DeadlineExceeded, "deadline exceeded; see whether the engine is stopped"},
	} {
		if got := c.reason(tt.err); !strings.Contains(got, tt.want) {
			t.Errorf("%q; want %q", got, tt.want)
		}
	}
}
