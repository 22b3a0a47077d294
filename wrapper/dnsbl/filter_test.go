package dnsbl

import (
	"net/netip"
	"strings"
	"testing"
)

func addrs(t testing.TB, text string) (list []netip.Addr) {
	t.Helper()
	for _, field := range strings.Fields(text) {
		a, err := netip.ParseAddr(field)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

func TestFilterFits(t *testing.T) {
	for _, tt := range []struct{ filter, fits, not string }{
		{"127.0.0.4", "127.0.0.4", "127.0.0.5 127.0.1.4 127.1.0.4"},
		{"127.0.0.[4]", "127.0.0.4", "127.0.0.5"},
		{"127.0.0.004", "127.0.0.4", "127.0.0.5"},
		{"127.2.[3..11].5", "127.2.3.5 127.2.11.5", "127.2.2.5 127.2.12.5 127.2.11.6"},
		{"127.2.[3;5;7;9;11].5", "127.2.3.5 127.2.11.5",
			"127.2.2.5 127.2.4.5 127.2.12.5 127.2.11.6"},
		{"127.2.[1..127;128..255].5", "127.2.1.5 127.2.127.5 127.2.128.5 127.2.255.5",
			"127.2.0.5 127.3.1.5"},
		{"[127;2].3.4.5", "127.3.4.5", "127.3.4.6"},
		{"[[1;127].3.4.5]", "127.3.4.5", "127.3.4.6"},
		{"[127.0.0.[2..11]]", "127.0.0.2 127.0.0.11", "127.0.0.12"},
		{"127.0.[0..255].[1..3]", "127.0.0.2 127.0.0.3 127.0.255.1", "127.0.0.4 127.1.0.2"},
		{"127.0.0.[7..7]", "127.0.0.7", "127.0.0.6 127.0.0.8"},
		{"[0..255].[0..255].[0..255].[0..255]", "127.0.0.2 127.255.254.254",
			"127.0.0.1 127.255.255.254 127.255.255.0 10.0.0.1 126.0.0.2 128.0.0.2 2001:db8::1"},
		{"", "127.0.0.2 127.0.1.255 127.0.0.255 127.255.254.255 127.254.255.255",
			"127.0.0.1 127.255.255.252 146.112.61.108 ::1 ::ffff:127.0.0.2"},
		{"127.0.0.2.", "", "127.0.0.2"}, // a wrong one fits none
		{"127.0.0.[2", "", "127.0.0.2"},
	} {
		for _, a := range addrs(t, tt.fits) {
			if !Fits(tt.filter, a) {
				t.Errorf("%q does not fit %v", tt.filter, a)
			}
		}
		for _, a := range addrs(t, tt.not) {
			if Fits(tt.filter, a) {
				t.Errorf("%q fits %v", tt.filter, a)
			}
		}
	}
	if Fits("", netip.Addr{}) || Fits("127.0.0.2", netip.Addr{}) {
		t.Error("no address fits")
	}
}

// What postscreen refuses is refused, at the same place, and nothing else is.
func TestFilterWrong(t *testing.T) {
	for _, tt := range []struct{ filter, want string }{
		{"1.2.300.4", `filter "1.2.300.4": "300.4" after "1.2."; write a number from 0 to 255, ` +
			`or several in brackets, like [2..11]`},
		{"1.2.256.4", `"256.4" after "1.2."; write a number`},
		{"1.2.3000.4", `"3000.4" after "1.2."; write a number`},
		{"1.2.3.", `it ends after "1.2.3."; write a number`},
		{"1.2.3", `it ends after "1.2.3"; write a dot and the next of four fields`},
		{"a", `"a" at its beginning; write a number`},
		{"1.2.3;4", `";4" after "1.2.3"; write a dot`},
		{"1.2.[].4", `"].4" after "1.2.["; write a number from 0 to 255`},
		{"1.2.[.4", `".4" after "1.2.["; write a number from 0 to 255`},
		{"1.2.].4", `"].4" after "1.2."; write a number from 0 to 255, or several`},
		{"1.2.[1-255].5", `"-255].5" after "1.2.[1"; write ";" or "]", or a range, like 2..11`},
		{"1.2.[1..127.128..255].5", `".128..255].5" after "1.2.[1..127"; write ";" or "]"`},
		{"1.2.3.[4..1]", `"1]" after "1.2.3.[4.."; write a number from 4 to 255`},
		{"1.2.3.[4.1]", `"1]" after "1.2.3.[4."; write a second dot, as in 2..11`},
		{"1.2.3.[4.x]", `"x]" after "1.2.3.[4."; write a second dot`},
		{"1.2.3.[4..x]", `"x]" after "1.2.3.[4.."; write a number from 4 to 255`},
		{"1.2.3.[x]", `"x]" after "1.2.3.["; write a number from 0 to 255`},
		{"1.2.3.4x", `"x" after "1.2.3.4"; write nothing after the fourth field`},
		{"1.2.3.4.5", `".5" after "1.2.3.4"; write nothing after the fourth field`},
		{"[[1;2].3.4.5", `"[1;2].3.4.5" after "["; write a number`},
		{"1;2].3.4.5", `";2].3.4.5" after "1"; write a dot`},
		{"[1;2]", `";2]" after "[1"; write a dot`},
		{"1.2.3.[4", `it ends after "1.2.3.[4"; write ";" or "]"`},
		{"", "the filter is empty; write four fields, like 127.0.0.[2..11], or leave the = out"},
		{"[]", "the filter is empty; write four"},
		{"[", `it ends after "["; write a number`},
		{"1.2.3.99999999999999999999999999", `"99999999999999999999999999" after "1.2.3."; write`},
		{"1.2.3.-4", `"-4" after "1.2.3."; write`},
		{"1.2.3.[4\n]", `"\n]" after "1.2.3.[4"; write`},
	} {
		err := CheckFilter(tt.filter)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v\nwant %s", tt.filter, err, tt.want)
		}
	}
	for _, filter := range []string{"1.2.3.4", "1.2.[3].4", "1.2.[1..127;128..255].5", "1.2.3.[4]",
		"1.2.[3..11].5", "1.2.[3;5;7;9;11].5", "[1;2].3.4.5", "[[1;2].3.4.5]", "[1.2.3.4]"} {
		if err := CheckFilter(filter); err != nil {
			t.Error(err)
		}
	}
}

func TestFitsAllocatesNothing(t *testing.T) {
	a := netip.MustParseAddr("127.0.3.2")
	if n := testing.AllocsPerRun(100, func() {
		Fits("[127.0.[0..255].[1..3]]", a)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
