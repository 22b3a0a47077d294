package try

import (
	"bufio"
	"strings"
)

// path splits `FROM:<address> parameters`.
func path(arg, word string) (address, parameters string, ok bool) {
	if len(arg) < len(word) || !strings.EqualFold(arg[:len(word)], word) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(arg[len(word):], " "), "<")
	if !ok {
		return "", "", false
	}
	address, parameters, ok = strings.Cut(rest, ">")
	return address, strings.TrimSpace(parameters), ok
}

// announced reports whether EHLO announces the extensions of all parameters of a MAIL command.
func announced(parameters string) bool {
	for _, p := range strings.Fields(parameters) {
		name, _, _ := strings.Cut(strings.ToUpper(p), "=")
		if name != "SIZE" && name != "BODY" {
			return false
		}
	}
	return true
}

// line reads a line with its end, or as much of one as the buffer holds: then it is not whole, and
// the next call reads on. The bytes are valid until then.
func (s *standIn) line() (line []byte, whole bool, err error) {
	line, err = s.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		return line, false, nil
	}
	return line, true, err
}

// skip reads the rest of a line that was too long for the buffer. It gives up after 64 buffers.
func (s *standIn) skip() bool {
	for range 64 {
		if _, whole, err := s.line(); whole {
			return err == nil
		}
	}
	return false
}
