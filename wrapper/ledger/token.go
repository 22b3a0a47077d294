package ledger

import (
	"errors"
	"strconv"
	"strings"
)

// Session is the token for a connection that the ledger counts. It is valid only in the ledger that
// gave it, and in one of another size that replaced that one. The zero Session is none. Two tokens
// for one session are equal (==). A token that fits no session has no effect.
type Session struct {
	slot    uint32 // number + 1
	process Process
	since   int64
}

// token is the Session that Enter or Transfer has returned for the slot.
func (t *Tx) token(i int) Session {
	s := t.l.slot(i)
	return Session{uint32(i) + 1, s.process(), s.since}
}

// slotOf is the slot of the session, or -1 if it has none any more: its process was taken for dead,
// or a new ledger has replaced the one that gave the token.
func (t *Tx) slotOf(s Session) int {
	i := int(s.slot) - 1
	if i < 0 || i >= int(t.l.geo.slots) || !t.l.inUse(i) || t.l.slot(i).state == slotFree ||
		t.token(i) != s {
		return -1
	}
	return i
}

// MarshalText writes the token for a process that becomes another program by execve: five numbers,
// slot, pid, start time, time of arrival, and 1 if the process is shared. They keep their meaning
// from version to version, since a newer program may read them. There is never an error.
func (s Session) MarshalText() ([]byte, error) {
	p, shared := s.process, ":0"
	if p.Shared {
		shared = ":1"
	}
	text := append(strconv.AppendUint(nil, uint64(s.slot), 10), ':')
	text = append(strconv.AppendInt(text, int64(p.PID), 10), ':')
	text = append(strconv.AppendUint(text, p.Start, 10), ':')
	text = strconv.AppendInt(text, s.since, 10)
	return append(text, shared...), nil
}

// UnmarshalText reads what MarshalText has written. Only the ledger can tell whether there is such
// a session: a stale or invented token fits none, and affects no other session.
func (s *Session) UnmarshalText(text []byte) error {
	bits := [...]int{32, 31, 64, 63, 1}
	var n [len(bits)]uint64
	fields := strings.Split(string(text), ":")
	if len(fields) != len(n) {
		return errors.New("session " + quoted(text) + ": " + strconv.Itoa(len(fields)) +
			" numbers; want " + strconv.Itoa(len(n)))
	}
	for i, field := range fields {
		var err error
		if n[i], err = strconv.ParseUint(field, 10, bits[i]); err != nil {
			return explained("session "+quoted(text)+": "+err.Error(), err)
		}
	}
	*s = Session{uint32(n[0]), Process{PID: int(n[1]), Start: n[2], Shared: n[4] == 1}, int64(n[3])}
	return nil
}

// quoted is the first 100 characters of a text from elsewhere, in quotation marks.
func quoted(text []byte) string {
	n := 0
	for at := range string(text) {
		if n == 100 {
			text = text[:at]
			break
		}
		n++
	}
	return strconv.Quote(string(text))
}
