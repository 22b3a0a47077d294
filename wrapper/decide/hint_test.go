package decide

import (
	"testing"

	"sendwrap/wrapper/config"
)

// Each kind has its hint; other reasons have none.
func TestHint(t *testing.T) {
	for kind, hint := range hints {
		if got := Hint(Reason(config.Kind(kind))); got != hint || got == "" || len(got) > 120 {
			t.Errorf("%v: %q", config.Kind(kind), got)
		}
	}
	if n := len(config.Weights{}); len(hints) != n {
		t.Errorf("%d hints for %d kinds", len(hints), n)
	}
	for _, reason := range []string{"", "pregreet", "pregreet:", "pregreet:nothing", "bad_rcpts",
		"tls"} {
		if got := Hint(reason); got != "" {
			t.Errorf("%q: %q", reason, got)
		}
	}
}
