package doctor

import "testing"

// What DNS has answered is reported, and a public resolver where there are lists.
func TestDNS(t *testing.T) {
	s := site(t, "dnsbl zen.example.org\nresolver 127.0.0.1\n", nil)
	s.Lists = []Tested{{"good.example.org", ""},
		{"zen.example.org", "does not answer; see whether the resolver can reach it"}}
	s.Resolvers = []Tested{{"127.0.0.1:53", "it does not answer; see whether it runs"}, {"::1", ""}}
	for key, want := range map[string]string{
		"list": "CONF:1: dnsbl: zen.example.org does not answer; " +
			"see whether the resolver can reach it",
		"resolver": "CONF:2: resolver: 127.0.0.1:53: it does not answer; " +
			"see whether it runs",
		"public_resolver": "",
	} {
		if got := s.found(key); got != want {
			t.Errorf("%s: %q; want %q", key, got, want)
		}
	}
	const want = "CONF:1: resolver: 9.9.9.9 is a public resolver; run one of your own, and write " +
		"resolver 127.0.0.1"
	for conf, want := range map[string]string{
		"resolver 9.9.9.9 127.0.0.1\ndnsbl zen.example.org\n": want,
		"resolver 9.9.9.9 127.0.0.1\nallow .example.org\n":    "",
	} {
		if got := site(t, conf, nil).found("public_resolver"); got != want {
			t.Errorf("%q: %q; want %q", conf, got, want)
		}
	}
}
