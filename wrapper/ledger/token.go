package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// Session is a connection that the ledger counts, or rather the token for it. It is worth something
// only to the ledger that gave it, and to one of another size that took that one's place;
// the zero Session is none. Two tokens for one session are equal (==), and one that
// fits no session does nothing.
type Session struct {
	slot    uint32 // number + 1
	process Process
	since   int64
}

// token is the Session that Enter has returned for the slot, or Hand.
func (t *Tx) token(i int) Session {
	s := t.l.slot(i)
	return Session{uint32(i) + 1, s.process(), s.since}
}

// mine is the slot of a session that still belongs to it, or -1: a session whose
// process was taken for dead, or that an administrator's new ledger knows nothing of.
func (t *Tx) mine(s Session) int {
	i := int(s.slot) - 1
	if i < 0 || i >= int(t.l.geo.slots) || !t.l.inUse(i) || t.l.slot(i).state == slotFree || t.token(i) != s {
		return -1
	}
	return i
}

// MarshalText writes the token for a process that goes on as another program, pid and all: five
// numbers, slot, pid, start time, time of arrival, and 1 if the process is shared. They
// keep their meaning from version to version, since the program that reads them
// may be a newer one. There is never an error.
func (s Session) MarshalText() ([]byte, error) {
	shared := 0
	if s.process.Shared {
		shared = 1
	}
	return fmt.Appendf(nil, "%d:%d:%d:%d:%d", s.slot, s.process.PID, s.process.Start, s.since, shared), nil
}

// UnmarshalText reads what MarshalText has written. Whether there is such a session only the ledger
// can tell: a token that is stale, or made up, fits none, so nothing happens to anybody else's.
func (s *Session) UnmarshalText(text []byte) error {
	bits := [...]int{32, 31, 64, 63, 1}
	var n [len(bits)]uint64
	fields := strings.Split(string(text), ":")
	if len(fields) != len(n) {
		return fmt.Errorf("session %.100q: %d numbers; want %d", text, len(fields), len(n))
	}
	for i, field := range fields {
		var err error
		if n[i], err = strconv.ParseUint(field, 10, bits[i]); err != nil {
			return fmt.Errorf("session %.100q: %w", text, err)
		}
	}
	*s = Session{uint32(n[0]), Process{PID: int(n[1]), Start: n[2], Shared: n[4] == 1}, int64(n[3])}
	return nil
}
