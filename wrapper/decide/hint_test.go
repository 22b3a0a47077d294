package decide

import (
	"testing"

	"sendwrap/wrapper/policy"
)

// Each kind has its hint; other reasons have none.
func TestHint(t *testing.T) {
	for kind, hint := range hints {
		if got := Hint(Reason(policy.Kind(kind))); got != hint || got == "" || len(got) > 120 {
			t.Errorf("%v: %q", policy.Kind(kind), got)
		}
	}
	if n := len(policy.Weights{}); len(hints) != n {
		t.Errorf("%d hints for %d kinds", len(hints), n)
	}
	for _, reason := range []string{"", "pregreet", "pregreet:", "pregreet:nothing", "bad_rcpts",
		"tls"} {
		if got := Hint(reason); got != "" {
			t.Errorf("%q: %q", reason, got)
		}
	}
}
