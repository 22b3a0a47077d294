package share

import (
	"path/filepath"
	"testing"
	"time"
)

// A word of the future, as after a failover to an engine whose clock is behind, does not keep a
// machine's next block from the others, however short that is.
func TestBlockAfterFuture(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	other := startMember(t, filepath.Join(t.TempDir(), "ledger"), "")
	other.name = "mx3"
	const network, lasts = "198.18.0.1/32", 10 * time.Minute
	future := event("mx2", network, -50*time.Minute, 0)
	m.hears(t, future)
	other.hears(t, future)
	own := event(m.name, network, 0, lasts)
	m.line(t.Context(), &own)
	other.hears(t, own)
	checkLeft(t, other, map[string]time.Duration{network: lasts})
}
