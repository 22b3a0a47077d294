package decide

import (
	"strconv"

	"sendwrap/allowlist/rule"
)

// What check shows of the wide networks with limits of their own.

// wideConnsText is how many sessions each has that has a limit on them.
func wideConnsText(s *Shown) (text string) {
	for n := range s.Limits.Wide {
		if w := &s.Limits.Wide[n]; w.Conns > 0 {
			text += "; of " + w.Network.String() + " " + of(int(s.WideCounts[n].Conns), w.Conns)
		}
	}
	return text
}

func wideRateText(s *Shown) (text string) {
	for n := range s.Limits.Wide {
		if w := &s.Limits.Wide[n]; w.Rate > 0 {
			text += "; of " + w.Network.String() + " " +
				of(int(s.WideCounts[n].Arrivals), w.Rate) + " in " + rule.FormatDuration(w.Per)
		}
	}
	return text
}

// wideStrikesText is how many strikes each has that they can block.
func wideStrikesText(s *Shown) (text string) {
	for n, most := range s.Limits.WideStrikes {
		if most == 0 {
			continue
		}
		text += "; of " + s.Limits.Wide[n].Network.String() + " "
		if s.WideOwn[n] {
			text += "none counts: it holds an address of this machine"
		} else {
			text += of(s.WideStrikes[n], most)
		}
	}
	return text
}

func wideRcptsText(s *Shown) (text string) {
	for n, total := range s.Limits.WideRcpts {
		if total.N > 0 && !s.WideOwn[n] {
			text += "; unknown recipients of " + s.Limits.Wide[n].Network.String() + " in " +
				rule.FormatDuration(total.Per) + ": " + of(s.WideRcpts[n].Bad, total.N) +
				", accepted ones " + strconv.Itoa(s.WideRcpts[n].Good)
		}
	}
	return text
}
