package doctor

import "sendwrap/wrapper/ledger"

// notShared says that this machine is to share what it knows with others, and does not.
func notShared(s *Site) []Finding {
	if s.Ledger == nil || len(s.Config.Share.Engines) == 0 {
		return nil
	}
	sharing, err := s.Ledger.Sharing(ledger.Now())
	switch {
	case err != nil, sharing.On && sharing.Connected:
		return nil
	case sharing.On:
		return one(s.at("share_engine"), "the engine is away",
			"the log says why, and so does sendwrap share -check")
	}
	return one(s.at("share_engine"), "sendwrap share does not run",
		"systemctl enable --now sendwrap-share.service")
}
