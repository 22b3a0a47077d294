package metrics

import "sendwrap/wrapper/ledger"

// aboutSharing is what `sendwrap share` has done on this machine, if it does anything. Its label is
// the name of another machine, of which the ledger has 124 at most.
func aboutSharing(f *family, s *ledger.Sharing) {
	if !s.On {
		return
	}
	f.gauge("share_connected", "1 while the engine answers.", number(s.Connected))
	f.gauge("share_lag_seconds", "For how long what was last read had been in the engine.",
		s.Lag.Seconds())
	f.gauge("share_waiting", "Events that the engine does not have yet.", float64(s.Waiting))
	f.counter("share_lost_total", "Events for which the outbox had no room.", s.Lost)
	const events = "Events of other machines, by what became of them."
	f.counter("share_events_total", events, s.Refused, "machine", "", "result", "refused")
	for _, o := range s.Origins {
		f.counter("share_events_total", events, o.Applied, "machine", o.Name, "result", "applied")
		f.counter("share_events_total", events, o.Refused, "machine", o.Name, "result", "refused")
	}
}
