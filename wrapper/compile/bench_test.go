package compile

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

var sizes = []int{10, 1_000, 100_000, 1_000_000}

// many writes a configuration with n networks, in files of half a million lines.
func many(t testing.TB, n int) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "sendwrap.conf")
	top := "mta /usr/sbin/sendmail -bs\n"
	for part := 0; n > 0; part++ {
		name := filepath.Join(dir, fmt.Sprint("networks", part))
		top += "include " + name + "\n"
		var b strings.Builder
		for i := range min(n, 500_000) {
			if i += part * 500_000; i%10 == 9 {
				fmt.Fprintf(&b, "deny 2001:db8:%x:%x::/64\n", i>>16, i&0xffff)
			} else {
				fmt.Fprintf(&b, "deny %d.%d.%d.%d\n", 11+i>>15, i>>7&255, i<<1&255, i&63)
			}
		}
		if err := os.WriteFile(name, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		n -= 500_000
	}
	if err := os.WriteFile(file, []byte(top), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(policy.Settled)
	return file
}

// nobody takes networks and forgets them: what remains is the time of reading the text.
type nobody struct{}

func (nobody) SetAccess(netip.Prefix, rule.Access, rule.Source) error { return nil }
func (nobody) SetLimits(netip.Prefix, rule.Limits, rule.Source) error { return nil }
func (nobody) SetNameAccess(string, rule.Access, rule.Source) error   { return nil }
func (nobody) SetNameLimits(string, rule.Limits, rule.Source) error   { return nil }

// BenchmarkCompile is the time of Compile, also as a multiple of reading the text alone, and the
// most memory that the process has had so far.
func BenchmarkCompile(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			file := many(b, n)
			var bytes int64
			before := used(b)
			for b.Loop() {
				r, err := Compile(file, file+".policy")
				if err != nil {
					b.Fatal(err)
				}
				bytes = r.Bytes
			}
			after := used(b)
			if _, err := config.Read(file, nobody{}); err != nil {
				b.Fatal(err)
			}
			end := used(b)
			mine := float64(cpu(before, after)) / float64(b.N)
			b.ReportMetric(mine/1e9, "cpu-s")
			b.ReportMetric(mine/float64(cpu(after, end)), "×read")
			b.ReportMetric(float64(end.Maxrss)/1024, "MB-at-most")
			b.ReportMetric(float64(bytes), "B-file")
		})
	}
}

// BenchmarkOpen is the time of Open for a client, with its system calls and page faults.
func BenchmarkOpen(b *testing.B) {
	for _, n := range sizes {
		file := many(b, n)
		path := file + ".policy"
		if !compileUnsynced(b, file, path) {
			b.Fatal("not compiled")
		}
		for _, client := range []string{"11.0.0.0", "2001:db8:0:9::1"} {
			b.Run(fmt.Sprintf("%d/%s", n, client), func(b *testing.B) {
				addr := netip.MustParseAddr(client)
				b.ReportAllocs()
				before := used(b)
				for b.Loop() {
					c, err := policy.Open(path, file, addr)
					if err != nil || c.Match(addr).Access != rule.Deny {
						b.Fatal(c, err)
					}
					c.Close()
				}
				now := used(b)
				b.ReportMetric(float64(cpu(before, now))/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(now.Minflt-before.Minflt)/float64(b.N), "faults/op")
			})
		}
	}
}

// used is what this process has used so far.
func used(b *testing.B) (u unix.Rusage) {
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u
}

// cpu is the processor time between two moments, in ns.
func cpu(from, to unix.Rusage) int64 {
	return to.Utime.Nano() + to.Stime.Nano() - from.Utime.Nano() - from.Stime.Nano()
}
