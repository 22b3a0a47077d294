package policy

import "sendwrap/allowlist/rule"

// IsReply reports whether a text can be the reply that refuses a client: a code, and printable
// ASCII, in one line.
func IsReply(text string) bool {
	if len(text) < 5 || len(text) > rule.MaxReply || text[0] != '4' && text[0] != '5' ||
		!isDigit(text[1]) || !isDigit(text[2]) || text[3] != ' ' {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// A reply is in one page, behind its length. Its place is the number of the page and where it
// begins there; 0 is none.
const (
	replyHead = 2
	placeBits = 12
)

// placeReplies gives pages from the number next to the replies, and returns their places, by their
// numbers, and the number after the pages. ok is false if a text is no reply, or there are too
// many.
func placeReplies(all []string, next int) (places []uint32, end int, ok bool) {
	places = make([]uint32, 1, len(all)+1)
	page, at := next, pageSize // full
	if len(all) > 0 {
		page--
	}
	for _, text := range all {
		if !IsReply(text) {
			return nil, 0, false
		}
		if at+replyHead+len(text) > pageSize {
			page, at = page+1, headSize
		}
		places = append(places, uint32(page<<placeBits|at))
		at += replyHead + len(text)
	}
	if len(all) > 0 {
		page++
	}
	return places, page, page < 1<<(32-placeBits)
}

// replies writes their pages.
func (w *writer) replies(all []string) {
	for len(all) > 0 {
		at, h := headSize, head{kind: repliesPage}
		for len(all) > 0 && at+replyHead+len(all[0]) <= pageSize {
			put16(w.page[at:], uint16(len(all[0])))
			copy(w.page[at+replyHead:], all[0])
			at += replyHead + len(all[0])
			all = all[1:]
			h.count++
		}
		w.put(h)
	}
}

// readReply reads the reply at a place.
func (c *Compiled) readReply(text *string, place uint32) error {
	if err := c.read(place>>placeBits, repliesPage); err != nil {
		return err
	}
	at := int(place) & (pageSize - 1)
	if at < headSize || at+replyHead > pageSize {
		return c.damaged()
	}
	b := c.page[at+replyHead:]
	n := int(get16(c.page[at:]))
	if n > len(b) || !IsReply(string(b[:n])) {
		return c.damaged()
	}
	*text = string(b[:n])
	return nil
}
