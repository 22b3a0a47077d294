package policy

import (
	"errors"
	"os"
	"testing"

	"sendwrap/allowlist/rule"
)

// A policy that is closed, or was cut off since it was opened, knows no names, and does not crash.
// One that was replaced answers as before.
func TestNamesWhileOpen(t *testing.T) {
	s := newSample(t, 1000)
	c := s.open()
	client, want := s.nthName(999)
	others := c.Others(nil)
	if err := os.Rename(s.path, s.path+".old"); err != nil {
		t.Fatal(err)
	}
	s.put(nil)
	if m, err := others.MatchName(client); m != want || err != nil || !others.HasNames() {
		t.Errorf("of one that was replaced: %+v", m)
	}
	if err := os.Truncate(s.path+".old", 2*pageSize); err != nil {
		t.Fatal(err)
	}
	if m, err := c.MatchName(client); m != (rule.Match{}) || !errors.As(err, new(*Unusable)) {
		t.Errorf("of one that was cut off: %+v, %v", m, err)
	}
	c.Close()
	if m, _ := others.MatchName(client); m != (rule.Match{}) {
		t.Errorf("of one that is closed: %+v", m)
	}
}
