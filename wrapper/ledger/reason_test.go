package ledger

import (
	"strings"
	"testing"
)

func TestReasonWord(t *testing.T) {
	for reason, want := range map[string]string{
		"pregreet": "pregreet", "bad recipients": "bad_recipients",
		"a\nb\x00\xff\"": "a_b__\"", "": "",
		strings.Repeat("x", 40): strings.Repeat("x", 32),
	} {
		if got := ReasonWord(reason); got != want {
			t.Errorf("%q: %q; want %q", reason, got, want)
		}
	}
}
