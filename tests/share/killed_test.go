package share

import (
	"testing"
	"time"
)

// Processes that are killed at any moment, and start again, lose no event and count none twice.
func TestKilled(t *testing.T) {
	t.Parallel()
	_, a, b := two(t, redis, quick)
	const rate, lasts = 1000, 2 * time.Second
	done := make(chan error, 1)
	go func() { done <- a.events(rate, lasts) }()
	for range 4 {
		for _, m := range []*machine{a, b} {
			times := m.logged("share", back)
			m.share.KillAll()
			m.startShare()
			m.waitLogged(back, times+1)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.command("block", "198.18.0.1", "1h") // what comes after them all
	b.waitLogged("BLOCK network=198.18.0.1/32", 1)
	const events = rate * int(lasts/time.Second)
	all := b.sharing().Machines
	if len(all) != 1 || all[0].Applied != events+1 || all[0].Refused > 0 {
		t.Errorf("%+v; want %d events of mx1", all, events+1)
	}
}
