package lookup

import (
	"net/netip"

	"sendwrap/wrapper/dnsbl"
)

// Result is what DNS has said about an address.
type Result struct {
	Score  dnsbl.Score
	Hits   []Hit    // the lists that have it, in the order of the configuration
	Names  []string // that it has for certain, in alphabetical order
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

// The form in which a result is kept: format, number of hits, sum; the hits; the names.
const (
	format   = 1
	headSize = 6
	hitSize  = 7
	maxHits  = 8
)

// Encode returns a result that is final as at most most bytes. If more names are confirmed than
// fit, it leaves out the last ones. ok is false if the result cannot be kept.
func (r *Result) Encode(most int) (text []byte, ok bool) {
	if len(r.Hits) > maxHits {
		return nil, false
	}
	sum := uint32(r.Score.Sum)
	text = append(text, format, byte(len(r.Hits)),
		byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	for _, h := range r.Hits {
		addr := h.Addr.As4()
		text = append(append(text, byte(h.List)), addr[:]...)
		text = append(text, byte(h.Weight>>8), byte(h.Weight))
	}
	for _, name := range r.Names {
		if len(text)+1+len(name) > most {
			break
		}
		text = append(append(text, byte(len(name))), name...)
	}
	return text, len(text) <= most
}

// Decode reads what Encode has written of so many lists. ok is false for any other bytes.
func Decode(text []byte, lists int) (r Result, ok bool) {
	if len(text) < headSize || text[0] != format || text[1] > maxHits ||
		len(text) < headSize+hitSize*int(text[1]) {
		return Result{}, false
	}
	hits := int(text[1])
	r.Score.Sum = readInt16(text[2:])<<16 | readInt16(text[4:])&0xffff
	for text = text[headSize:]; hits > 0; hits-- {
		h := Hit{int(text[0]), netip.AddrFrom4([4]byte(text[1:5])), readInt16(text[5:])}
		if h.List >= lists {
			return Result{}, false
		}
		r.Hits = append(r.Hits, h)
		text = text[hitSize:]
	}
	for len(text) > 0 {
		n := 1 + int(text[0])
		if n == 1 || n > len(text) {
			return Result{}, false
		}
		r.Names = append(r.Names, string(text[1:n]))
		text = text[n:]
	}
	r.Heard = true
	r.Settle()
	return r, true
}

func readInt16(b []byte) int { return int(int16(uint16(b[0])<<8 | uint16(b[1]))) }
