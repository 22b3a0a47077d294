package config

import (
	"testing"

	"sendwrap/wrapper/policy"
)

func TestStrikesByKind(t *testing.T) {
	settings(t, []setting{
		{"all", "strikes_by_kind ehlo=0 pipelined=1 tls=2 http=3 proxy=4 other=8",
			func(c *Config) { c.KindStrikes = policy.Weights{0, 1, 2, 3, 4, 8} }},
		{"one", "strikes_by_kind proxy=1", func(c *Config) {
			c.KindStrikes = policy.Weights{1, 1, 0, 0, 1, 1}
		}},
	})
	const kinds = "write ehlo=, pipelined=, tls=, http=, proxy= or other="
	mistakes(t, []mistake{
		{"strikes_by_kind", "strikes_by_kind: no value; write strikes_by_kind KIND=N..."},
		{"strikes_by_kind off", `strikes_by_kind: "off" is not KEY=VALUE; ` + kinds},
		{"strikes_by_kind proxi=0", `strikes_by_kind: unknown key "proxi"; did you mean proxy?`},
		{"strikes_by_kind telnet=0", `strikes_by_kind: unknown key "telnet"; ` + kinds},
		{"strikes_by_kind tls=9", `strikes_by_kind: tls: "9" is out of range; write 0 to 8`},
		{"strikes_by_kind tls=off", `strikes_by_kind: tls: "off" is not a plain number; write 0`},
		{"strikes_by_kind tls=1 tls=1", "strikes_by_kind: tls is given twice; keep one"},
	})
}

func TestKindOf(t *testing.T) {
	for k := range policy.Kinds {
		if got, found := policy.KindOf(k.String()); got != k || !found {
			t.Errorf("%q is %v, %v", k.String(), got, found)
		}
	}
	for _, word := range []string{"", "EHLO", "invalid", "pregreet"} {
		if k, found := policy.KindOf(word); found {
			t.Errorf("%q is %v", word, k)
		}
	}
}
