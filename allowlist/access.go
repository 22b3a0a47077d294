package allowlist

import (
	"strconv"
	"strings"
	"time"
)

// Access is what the administrator said about a network as a whole.
type Access uint8

const (
	Unsaid Access = iota // nothing: tests and limits decide
	Allow                // to the MTA at once
	Deny                 // turned away at once
)

func (a Access) String() string {
	switch a {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	}
	return "unsaid"
}

// Rate is a limit of N arrivals in any window of length Per. The zero Rate is no limit.
type Rate struct {
	N   int
	Per time.Duration
}

// String is the spelling of sendwrap.conf: "10/1m", and "0" for no limit.
func (r Rate) String() string {
	if r.N == 0 {
		return "0"
	}
	per := r.Per.String()
	if strings.HasSuffix(per, "m0s") {
		per = per[:len(per)-len("0s")]
	}
	if strings.HasSuffix(per, "h0m") {
		per = per[:len(per)-len("0m")]
	}
	return strconv.Itoa(r.N) + "/" + per
}

// Source is the place where something was said.
type Source struct {
	File string
	Line int // from 1
}

// String is FILE:LINE.
func (s Source) String() string { return s.File + ":" + strconv.Itoa(s.Line) }

// Error says what is wrong with a network or with what is said about it.
type Error struct {
	Msg  string // what is wrong
	Hint string // what to write instead
}

func (e *Error) Error() string { return e.Msg + "; " + e.Hint }
