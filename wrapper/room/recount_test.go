package room

import (
	"os"
	"testing"

	"sendwrap/wrapper/ledger"
)

// Something becomes of the ledger's file while clients wait and are served: they are counted again,
// each once, and leave when they leave.
func TestRecount(t *testing.T) {
	const waiting = 5
	for _, tt := range []struct {
		name    string
		becomes func(path string) error
	}{
		{"removed", os.Remove},
		{"cut off", func(path string) error { return os.Truncate(path, 0) }},
		{"moved, and another made", func(path string) error {
			if err := os.Rename(path, path+".old"); err != nil {
				return err
			}
			return openAs(path, 1024)
		}},
		{"made larger by another program", func(path string) error { return openAs(path, 4096) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := build(t, slow+"allow 127.8.0.0/16\n")
			h.begin()
			served := h.guest("127.8.0.1")
			h.until("one is served", func() bool { return len(h.mtas.running) == 1 && h.held == 0 })
			guests := h.guests(waiting)
			h.until("the others wait", func() bool { return h.held == waiting })
			if err := tt.becomes(h.file("state/ledger")); err != nil {
				t.Fatal(err)
			}
			last := h.guest("127.8.9.9") // somebody who has to do with it
			h.tickAt = h.now
			h.until("the last one is served", func() bool { return len(h.mtas.running) == 2 && h.held == waiting })
			for range 3 {
				h.tickAt = h.now
				h.round()
			}
			if h.door.Ledger.Outdated() {
				t.Fatalf("the room has no ledger; log: %q", h.said())
			}
			count := map[string]int{}
			for _, s := range h.sessions() {
				count[s.Client.String()]++
				if mta := h.mtas.running[s.Process.PID]; s.Serving != (mta != nil) || mta != nil && mta.session.Client != s.Client {
					t.Errorf("%+v", s)
				}
			}
			for _, c := range append(guests, served, last) {
				if n := count[c.LocalAddr().String()]; n != 1 {
					t.Errorf("%v is counted %d times", c.LocalAddr(), n)
				}
				c.Close()
			}
			if len(count) != waiting+2 {
				t.Errorf("%v", count)
			}
			h.until("all have left", func() bool { return !h.busy() })
			if s := h.sessions(); len(s) > 0 {
				t.Errorf("%d sessions are left: %+v", len(s), s)
			}
		})
	}
}

// openAs opens a ledger as another program does whose configuration says so.
func openAs(path string, clients int) error {
	l, _, err := ledger.Open(path, clients, ledger.ThisBoot())
	if err != nil {
		return err
	}
	return l.Close()
}
