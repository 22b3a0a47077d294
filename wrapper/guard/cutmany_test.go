package guard

import (
	"sync"
	"testing"

	"sendwrap/tests/lab"
)

// A thousand sessions that are disconnected at once do not use up the descriptors.
func TestCutMany(t *testing.T) {
	const sessions = 1000
	c := cutting(t, "block off\n")
	before := descriptors(t)
	var all sync.WaitGroup
	c.socketMu.Lock()
	for range sessions {
		all.Go(c.another(c.nobody()).disconnect)
	}
	lab.Eventually(t, "all wait", func() bool {
		return inside("(*session).disconnect") == sessions
	})
	if n := descriptors(t) - before; n > 0 {
		t.Errorf("%d descriptors at once", n)
	}
	c.socketMu.Unlock()
	all.Wait()
}
