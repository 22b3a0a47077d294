package access

import "strings"

// class is what a byte is in a value. The operators are those of sendmail's default OperatorChars,
// and what always ends a word.
type class uint8

const (
	blank class = iota
	atom
	operator
	quote
)

func classOf(c byte) class {
	switch {
	case c == ' ' || c >= '\t' && c <= '\r':
		return blank
	case c == '"':
		return quote
	case strings.IndexByte(".:%@!^/[]+()<>,;", c) >= 0:
		return operator
	}
	return atom
}

// scanner splits a value into tokens.
type scanner struct {
	tokens []string
	token  []byte
	last   class // of the byte before; quote within quotes
}

// tokens splits a value as sendmail does when it takes one from a map. Comments, in parentheses,
// are left out; brackets and quotes without their other half get it, or are left out.
func tokens(value string) []string {
	s := scanner{last: atom}
	comments, angles := 0, 0
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c < ' ' && classOf(c) != blank || c == 0x7f:
		case c == '\\':
			i++
			switch {
			case i == len(value) || comments > 0:
			case value[i] == '!' && s.last != quote:
				s.add('!')
			default:
				s.add('\\')
				s.token = append(s.token, value[i])
			}
		case s.last == quote:
			s.add(c)
		case c == '(':
			comments++
		case c == ')' && comments > 0:
			comments--
			s.add(' ')
		case comments > 0 || c == ')' || c == '>' && angles == 0:
		default:
			if c == '<' {
				angles++
			} else if c == '>' {
				angles--
			}
			s.add(c)
		}
	}
	if s.last == quote {
		s.add('"')
	}
	for range angles {
		s.add('>')
	}
	s.end()
	return s.tokens
}

// add adds a byte to the token that it belongs to.
func (s *scanner) add(c byte) {
	class := classOf(c)
	switch {
	case s.last == quote && class == quote:
		class = operator // what follows is another token
	case s.last == quote:
		class = quote
	case class == blank:
		s.end()
		s.last = blank
		return
	case s.last != atom || class != atom:
		s.end()
	}
	s.token = append(s.token, c)
	s.last = class
}

func (s *scanner) end() {
	if len(s.token) > 0 {
		s.tokens = append(s.tokens, string(s.token))
		s.token = s.token[:0]
	}
}

// join puts tokens together as sendmail does: with a blank between two words, and none elsewhere.
func join(tokens []string) string {
	var b strings.Builder
	wasAtom := false
	for _, t := range tokens {
		isAtom := classOf(t[0]) == atom
		if wasAtom && isAtom {
			b.WriteByte(' ')
		}
		b.WriteString(t)
		wasAtom = isAtom
	}
	return b.String()
}

// unquote removes quotes, and the backslashes before other characters.
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		} else if s[i] == '"' {
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
