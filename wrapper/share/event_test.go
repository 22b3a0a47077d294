package share

import (
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// What a machine that has gone mad may say is refused: garbage, huge values, networks of /0, times
// of a thousand years.
func TestParse(t *testing.T) {
	const now = 1_800_000_000_000
	good := Event{Kind: ledger.OutboxBlock, Network: netip.MustParsePrefix("192.0.2.0/24"),
		At: now - 5, Till: now + time.Hour.Milliseconds(), Origin: "mx2", Number: 7, Reason: "x"}
	text := string(good.Append(nil))
	if got, err := Parse(text, now); err != nil || got != good {
		t.Fatalf("%q: %+v, %v; want %+v", text, got, err, good)
	}
	for _, tt := range []struct{ old, replaced string }{
		{"1 block", "2 block"}, {"1 block", "1 blocks"}, {"1 block", "1 "}, {"1 block", ""},
		{"192.0.2.0/24", "0.0.0.0/0"}, {"192.0.2.0/24", "::/0"}, {"192.0.2.0/24", "192.0.2.1/24"},
		{"192.0.2.0/24", "192.0.0.0/7"}, {"192.0.2.0/24", "2000::/15"},
		{"192.0.2.0/24", "::ffff:192.0.2.0/120"}, {"192.0.2.0/24", "192.0.2.0"},
		{"1799999999995", "0"}, {"1799999999995", "-1"}, {"1799999999995", "9223372036854775807"},
		{"1799999999995", "1800009999995"}, {"1799999999995", "1700000000000"},
		{"1800003600000", "33000000000000"}, {"1800003600000", "-1"},
		{"1 block 192.0.2.0/24 1799999999995 1800003600000",
			"1 known 192.0.2.0/24 1799999999995 1799999999995"},
		{"1800003600000", "0"}, {"mx2", "mx/2"}, {"mx2", ""}, {"mx2", strings.Repeat("x", 33)},
		{" 7 ", " -7 "}, {" 7 ", " 07 "}, {" 18000", " +18000"},
		{" 0 0 ", " 256 0 "}, {" 0 0 ", " 0 "}, {" x", " \x1b[2J"}, {" x", ""},
		{" x", " " + strings.Repeat("x", 33)}, {" x", " " + strings.Repeat("x", 1<<20)},
	} {
		wrong := strings.Replace(text, tt.old, tt.replaced, 1)
		if wrong == text {
			t.Errorf("%q is not in %q", tt.old, text)
		}
		if e, err := Parse(wrong, now); err == nil {
			t.Errorf("%.100q is believed: %+v", wrong, e)
		}
	}
}

// An event that is kept does not keep the whole packet in which it came.
func TestEventKeepsNoPacket(t *testing.T) {
	const packets = 500
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	e := event("mx2", "198.18.0.1/32", 0, time.Hour)
	e.Reason = "x"
	var kept []Event
	before := heap()
	for range packets {
		packet := string(append(e.Append(nil), make([]byte, wire.MaxPacket)...))
		got, err := Parse(packet[:len(packet)-wire.MaxPacket], e.At)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, got)
	}
	if grown := heap() - before; grown > packets*wire.MaxPacket/2 {
		t.Errorf("%d events take %d bytes", packets, grown)
	}
	runtime.KeepAlive(kept)
}

// An event that is older than any block can be says nothing.
func TestParseOld(t *testing.T) {
	const now = 1_800_000_000_000
	for age, want := range map[time.Duration]error{ledger.MaxBlock - time.Hour: nil,
		ledger.MaxBlock + time.Hour: errTime} {
		e := wordOf(netip.MustParsePrefix("192.0.2.0/24"), now-age.Milliseconds())
		if _, err := Parse(string(e.Append(nil)), now); err != want {
			t.Errorf("%v old: %v; want %v", age, err, want)
		}
	}
}
