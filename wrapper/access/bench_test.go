package access

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRead reads a map of 100,000 lines.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 25_000 {
		fmt.Fprintf(&text, "Connect:%d.%d.%d.%d REJECT\nClientRate:10.%[3]d.%[2]d.%[1]d\t%[1]d\n"+
			"host%[3]d.net%[4]d.example\t550 5.7.1 mail not wanted from %[3]d\n"+
			"Connect:IPv6:2001:db8:%[4]x:%[3]x OK\n", i%199+1, i/199%256, i/256, i%256)
	}
	b.ReportAllocs()
	for b.Loop() {
		if m := Read(text.String()); len(m.Entries()) < 90_000 {
			b.Fatal(len(m.Entries()), m.Notes[0])
		}
	}
}
