package lookup

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sendwrap/wrapper/dnsbl"
)

// What is kept comes back; any other bytes are no result, and never make one up.
func TestEncode(t *testing.T) {
	r := Result{
		Hits: []Hit{
			{31, netip.MustParseAddr("127.0.0.10"), -1000},
			{0, netip.MustParseAddr("127.1.2.3"), 16000},
		},
		Names: []string{"a.example", "mail.example.org"},
	}
	r.Score.Sum, r.Heard = 15000, true
	r.Settle()
	text := r.Encode(216)
	if got, ok := Decode(text, 32); !ok || !reflect.DeepEqual(got, r) {
		t.Errorf("%v: %+v; want %+v", ok, got, r)
	}
	if _, ok := Decode(text, 31); ok {
		t.Error("a list that does not exist")
	}
	for n := range headSize {
		other := slices.Clone(text)
		if other[n]++; n == 1 {
			other[n] = 0
		}
		if got, ok := Decode(other, 32); ok {
			t.Errorf("with another byte %d: %+v", n, got)
		}
	}
	for n := range len(text) {
		if got, ok := Decode(text[:n], 32); ok && len(got.Names) == len(r.Names) {
			t.Errorf("cut to %d bytes, it is whole", n)
		}
	}
	r.Heard = false
	if got, ok := Decode(r.Encode(216), 32); !ok || !reflect.DeepEqual(got, r) {
		t.Errorf("of DNS that has said nothing: %v: %+v; want %+v", ok, got, r)
	}
}

// The worst hit is that with the largest weight, the first of several.
func TestWorst(t *testing.T) {
	hits := []Hit{{List: 0, Weight: -3}, {List: 1, Weight: 2}, {List: 2, Weight: 5},
		{List: 3, Weight: 5}, {List: 4, Weight: 1}}
	if worst, ok := (&Result{Hits: hits}).Worst(); !ok || worst != hits[2] {
		t.Errorf("%+v, %v", worst, ok)
	}
	if _, ok := new(Result).Worst(); ok {
		t.Error("nobody has it")
	}
}

// However many lists have an address and however long its names are, what is kept says by which
// lists it has which score, and of its names what rules for domains need.
func TestEncodeFits(t *testing.T) {
	var all []Hit
	for i := range MaxLists {
		all = append(all, Hit{i, netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), i - 9})
	}
	for _, tt := range []struct {
		hits        int
		names, want []string
	}{
		{MaxLists, []string{"host.dyn.example"}, []string{"host.dyn.example"}},
		{MaxLists, []string{"0123456789.dyn.example"}, []string{"_.dyn.example"}},
		{MaxLists, []string{"host.dyn.example", "x"}, []string{"host.dyn.example"}},
		{8, []string{"host." + strings.Repeat("a.", 120) + "dyn.example"},
			[]string{"_." + strings.Repeat("a.", 74) + "dyn.example"}},
		{0, []string{"host." + strings.Repeat("a.", 98), "b.example"},
			[]string{"host." + strings.Repeat("a.", 98)}},
		{MaxLists, []string{strings.Repeat("a", 200), "b.example"}, []string{"b.example"}},
	} {
		r := Result{Hits: all[:tt.hits], Names: tt.names}
		for _, h := range r.Hits {
			r.Score.Sum += h.Weight
		}
		text := r.Encode(216)
		got, ok := Decode(text, MaxLists)
		if len(text) > 216 || !ok || got.Score.Sum != r.Score.Sum ||
			!slices.Equal(got.Hits, all[:tt.hits]) || !slices.Equal(got.Names, tt.want) {
			t.Errorf("%d bytes, %v: %+v; want %q", len(text), ok, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	r := Result{Names: []string{"a.example"}, Score: dnsbl.Score{Sum: 2},
		Hits: []Hit{{1, netip.MustParseAddr("127.0.0.10"), 2}}}
	text := r.Encode(216)
	f.Add(text, 3)
	f.Add([]byte{2, 8, 0}, 32)
	f.Fuzz(func(t *testing.T, text []byte, lists int) {
		r, ok := Decode(text, lists)
		if !ok {
			return
		}
		sum := 0
		for _, h := range r.Hits {
			if sum += h.Weight; h.List < 0 || h.List >= lists {
				t.Errorf("list %d of %d", h.List, lists)
			}
		}
		if r.Score.Sum != sum {
			t.Errorf("a score of %d from %d", r.Score.Sum, sum)
		}
		if !r.Done || r.Score.Lowest != r.Score.Sum || r.Score.Highest != r.Score.Sum {
			t.Errorf("not final: %+v", r)
		}
	})
}
