package lookup

import (
	"net/netip"
	"strings"

	"sendwrap/wrapper/dnsbl"
)

// Result is what DNS has said about an address.
type Result struct {
	Score  dnsbl.Score
	Hits   []Hit    // the lists that have it, in the order of the configuration
	Names  []string // that it has for certain; the first ones are kept, where there is no room
	Done   bool     // nothing can change any more
	Naming bool     // its names may still change
	Heard  bool     // DNS has answered something, or was asked nothing
}

// Hit is a list that has the address.
type Hit struct {
	List   int        // its number
	Addr   netip.Addr // what the list has said
	Weight int
}

// Settle makes the result final: what has not come does not count.
func (r *Result) Settle() {
	r.Score.Lowest, r.Score.Highest = r.Score.Sum, r.Score.Sum
	r.Done, r.Naming = true, false
}

// Worst is the hit with the largest weight, the first of several. ok is false if there is none.
func (r *Result) Worst() (worst Hit, ok bool) {
	for _, h := range r.Hits {
		if !ok || h.Weight > worst.Weight {
			worst, ok = h, true
		}
	}
	return worst, ok
}

// The form in which a result is kept: format, number of hits, sum; the hits, each without the first
// byte of its address, which is 127; the names.
const (
	format   = 2
	unheard  = 4 // the same, of DNS that has said nothing
	headSize = 6
	hitSize  = 6
)

// Encode returns a result that is final as at most most bytes, of which MaxLists hits need 198. Of
// the names it leaves out those that do not fit any more; Names says which come first.
func (r *Result) Encode(most int) (text []byte) {
	sum := uint32(r.Score.Sum)
	text = make([]byte, 0, most)
	kind := byte(unheard)
	if r.Heard {
		kind = format
	}
	text = append(text, kind, byte(len(r.Hits)),
		byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	for _, h := range r.Hits {
		addr := h.Addr.As4()
		text = append(append(text, byte(h.List)), addr[1:]...)
		text = append(text, byte(h.Weight>>8), byte(h.Weight))
	}
	for _, name := range r.Names {
		if name = shortened(name, most-len(text)-1); name != "" {
			text = append(append(text, byte(len(name))), name...)
		}
	}
	return text
}

// shortened is a name of at most most bytes: a long one has a label that no host has in place of
// its first ones, so that a rule for all names below a domain still holds. "" = nothing is left.
func shortened(name string, most int) string {
	for rest := name; len(name) > most; name = "_." + rest {
		found := false
		if _, rest, found = strings.Cut(rest, "."); !found {
			return ""
		}
	}
	return name
}

// Decode reads what Encode has written of so many lists. ok is false for any other bytes: a score
// that is not the sum of its hits is nobody's.
func Decode(text []byte, lists int) (r Result, ok bool) {
	if len(text) < headSize || text[0] != format && text[0] != unheard ||
		len(text) < headSize+hitSize*int(text[1]) {
		return Result{}, false
	}
	r.Heard = text[0] == format
	hits, sum := int(text[1]), readInt16(text[2:])<<16|readInt16(text[4:])&0xffff
	for text = text[headSize:]; hits > 0; hits-- {
		addr := netip.AddrFrom4([4]byte{127, text[1], text[2], text[3]})
		h := Hit{int(text[0]), addr, readInt16(text[4:])}
		if h.List >= lists {
			return Result{}, false
		}
		r.Hits = append(r.Hits, h)
		r.Score.Sum += h.Weight
		text = text[hitSize:]
	}
	if r.Score.Sum != sum {
		return Result{}, false
	}
	for len(text) > 0 {
		n := 1 + int(text[0])
		if n == 1 || n > len(text) {
			return Result{}, false
		}
		r.Names = append(r.Names, string(text[1:n]))
		text = text[n:]
	}
	r.Settle()
	return r, true
}

func readInt16(b []byte) int { return int(int16(uint16(b[0])<<8 | uint16(b[1]))) }
