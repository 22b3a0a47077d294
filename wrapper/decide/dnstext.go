package decide

import (
	"strconv"
	"strings"

	"sendwrap/allowlist/rule"
)

// nameText is the rule that allows or denies the client by its name, if it is of this kind.
func nameText(s *Shown, a rule.Access) string {
	switch {
	case s.Rule.Name != "" && s.Rule.Access == a:
		return s.Rule.Name + " (" + s.Rule.Source.String() + ")"
	case !s.Heard:
		return "not known: DNS was not asked"
	case len(s.Names) == 0:
		return "it has no confirmed name"
	}
	return "no matching rule for " + strings.Join(s.Names, ", ")
}

// thresholdText is the score beside that from which a client is refused.
func thresholdText(s *Shown) string {
	if text := unscored(s); text != "" {
		return text
	}
	text := scoreText(s)
	if s.Limits.Threshold == 0 {
		return text + "; lists refuse nobody (dnsbl_threshold 0)"
	}
	return text + "; refused from " + strconv.Itoa(s.Limits.Threshold)
}

// welcomeText is the score beside that to which a client is welcome.
func welcomeText(s *Shown) string {
	if s.Limits.Welcome == 0 && s.Limits.AsksLists {
		return "off"
	}
	if text := unscored(s); text != "" {
		return text
	}
	return scoreText(s) + "; need not wait from " + strconv.Itoa(s.Limits.Welcome) + " down"
}

// unscored says why the client has no score; "" = it has one.
func unscored(s *Shown) string {
	switch {
	case !s.Limits.AsksLists && !s.Rule.Limits.IsSet(rule.DNSBL):
		return "off for this client: the access map lets it in"
	case !s.Limits.AsksLists:
		return "off for this client (dnsbl=off)"
	case !s.Heard:
		return "not known: DNS was not asked"
	}
	return ""
}

// scoreText is the score, and what it is made of.
func scoreText(s *Shown) string {
	text := "score " + strconv.Itoa(s.Score.Sum)
	if s.Hits != "" {
		text += " (" + s.Hits + ")"
	}
	return text
}
