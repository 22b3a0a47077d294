package metrics

import "sendwrap/wrapper/ledger"

// maxMachines is how many other machines have series of their own. The ledger has 124 at most.
const maxMachines = 8

// aboutSharing is what `sendwrap share` has done on this machine, if it does anything.
func aboutSharing(f *family, s *ledger.Sharing) {
	if !s.On {
		return
	}
	f.gauge("share_connected", "1 while the engine answers.", number(s.Connected))
	f.gauge("share_lag_seconds", "For how long what was last read had been in the engine.",
		s.Lag.Seconds())
	f.gauge("share_waiting", "Events that the engine does not have yet.", float64(s.Waiting))
	f.counter("share_lost_total", "Events for which the outbox had no room.", s.Lost)
	f.events("", "refused", s.Refused)
	rest := ledger.Origin{Name: others}
	for i, o := range s.Origins {
		if i < maxMachines {
			f.machine(&o)
			continue
		}
		rest.Applied += o.Applied
		rest.Refused += o.Refused
	}
	if len(s.Origins) > maxMachines {
		f.machine(&rest)
	}
}

func (f *family) machine(o *ledger.Origin) {
	f.events(o.Name, "applied", o.Applied)
	f.events(o.Name, "refused", o.Refused)
}

// events adds a number of events of a machine, by its name; "" is one without a name.
func (f *family) events(machine, result string, n uint64) {
	f.counter("share_events_total", "Events of other machines, by what became of them.", n,
		"machine", machine, "result", result)
}
