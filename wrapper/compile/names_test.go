package compile

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// manyNames writes a configuration with n names, as a provider's customers could have them.
func manyNames(t testing.TB, n int) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "sendwrap.conf")
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "deny .customer%d.dsl%d.example.net\n", i, i%100)
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A hundred thousand names are compiled, and each has its line.
func TestManyNames(t *testing.T) {
	const n = 100_000
	file := manyNames(t, n)
	if !compileUnsynced(t, file, file+".policy") {
		t.Fatal("not compiled")
	}
	c, err := policy.Open(file+".policy", file, netip.Addr{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := 0; i < n; i += 97 {
		domain := fmt.Sprintf(".customer%d.dsl%d.example.net", i, i%100)
		want := rule.Match{Access: rule.Deny, Name: domain,
			Source: rule.Source{File: file, Line: i + 1}}
		if m, _ := c.MatchName("Mail" + domain); m != want {
			t.Fatalf("%s: %+v", domain, m)
		}
		for _, other := range []string{domain[1:], "x" + domain[1:], domain[strings.Index(domain,
			"dsl"):]} {
			if m, _ := c.MatchName(other); m != (rule.Match{}) {
				t.Fatalf("%s: %+v", other, m)
			}
		}
	}
}

// BenchmarkNames is the time of a lookup of a name that no rule holds, by the compiled policy; and
// of what comes before: Compile, and reading the text for one client.
func BenchmarkNames(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		file := manyNames(b, n)
		began := time.Now()
		if !compileUnsynced(b, file, file+".policy") {
			b.Fatal("not compiled")
		}
		compiled := time.Since(began)
		began = time.Now()
		if _, err := config.Load(file, allowlist.For(client)); err != nil {
			b.Fatal(err)
		}
		read := time.Since(began)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, err := policy.Open(file+".policy", file, client)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			b.ReportAllocs()
			for b.Loop() {
				if m, _ := c.MatchName("mail.other.example.net"); m.Access != rule.Unset {
					b.Fatal(m)
				}
			}
			b.ReportMetric(compiled.Seconds()*1e3, "ms-compile")
			b.ReportMetric(read.Seconds()*1e3, "ms-text")
		})
	}
}
