package wrapper

import (
	"strconv"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// listedReply tells a client that is on a list which one it is: that with the largest weight.
func (s *Session) listedReply(action policy.Action) (line string) {
	code, status, text := decide.DNSBL.Refusal()
	if action == policy.Tempfail {
		code, status = "421", "4.7.1"
	}
	texts := []string{text} // the last one that fits is sent
	if l := s.worstList(); l != nil {
		named := "is listed by " + l.Name
		if texts = append(texts, named); l.URL != "" {
			texts = append(texts, named+"; see "+l.URL)
		}
	}
	for _, text := range texts {
		whole := refusal(code+" "+status, s.Client.Addr(), text, s.door.Policy.Settings)
		if len(whole) <= rule.MaxReply {
			line = whole
		}
	}
	return line
}

// worstList is the list with the largest weight that has the client; nil if it is not known any
// more, which may be so after a room was replaced.
func (s *Session) worstList() *dnsbl.List {
	if s.heard == nil {
		return nil
	}
	hit, ok := s.heard.result.Worst()
	if !ok {
		return nil
	}
	return &s.heard.lists[hit.List]
}

// logHeard says what DNS has said about the client.
func (s *Session) logHeard(l *maillog.Line) {
	if s.heard == nil {
		return
	}
	r := &s.heard.result
	if s.unheard() {
		l.Str("dns", "none")
	}
	if len(r.Hits) > 0 {
		l.IntOf("score", r.Score.Sum, s.facts().Limits.Threshold)
		l.Str("lists", HitsText(s.heard.lists, r.Hits))
	}
	if len(r.Names) > 0 {
		l.Str("name", r.Names[0])
	}
}

// HitsText is how the log names the lists that have a client: zen:127.0.0.4*3,bl:127.0.0.2*2.
func HitsText(lists []dnsbl.List, hits []lookup.Hit) (text string) {
	for i, h := range hits {
		if i > 0 {
			text += ","
		}
		text += lists[h.List].Name + ":" + h.Addr.String() + "*" + strconv.Itoa(h.Weight)
	}
	return text
}
