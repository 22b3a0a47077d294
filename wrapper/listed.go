package wrapper

import (
	"strconv"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// listedReply tells a client that is on a list which one it is: that with the largest weight.
func (s *Session) listedReply(action policy.Action) string {
	code, status, text := decide.DNSBL.Refusal()
	if action == policy.Tempfail {
		code, status = "421", "4.7.1"
	}
	line := func(text string) string {
		return refusal(code+" "+status, s.Client.Addr(), text, s.door.Policy.Settings)
	}
	hit, ok := s.heard.result.Worst()
	if !ok {
		return line(text)
	}
	l := &s.heard.lists[hit.List]
	if text = "is listed by " + l.Name; l.URL != "" {
		if whole := line(text + "; see " + l.URL); len(whole) <= maxReply {
			return whole
		}
	}
	return line(text)
}

// maxReply is what a line of a reply has at most, without its end (RFC 5321 §4.5.3.1.5).
const maxReply = 510

// logHeard says what DNS has said about the client.
func (s *Session) logHeard(l *maillog.Line) {
	if s.heard == nil {
		return
	}
	r := &s.heard.result
	if len(r.Hits) > 0 {
		l.IntOf("score", r.Score.Sum, s.facts().Limits.Threshold)
		text := ""
		for i, h := range r.Hits {
			if i > 0 {
				text += ","
			}
			text += s.heard.lists[h.List].Name + ":" + h.Addr.String() + "*" +
				strconv.Itoa(h.Weight)
		}
		l.Str("lists", text)
	}
	if len(r.Names) > 0 {
		l.Str("name", r.Names[0])
	}
}
