package admin

import (
	"fmt"
	"io"
	"time"

	"sendwrap/wrapper/ledger"
)

// sharingReport is what `sendwrap share` has done on this machine.
type sharingReport struct {
	Name      string          `json:"name"` // of this machine
	Connected bool            `json:"connected"`
	Seconds   float64         `json:"behind"`  // that what was last read had been in the stream
	Waiting   int             `json:"waiting"` // events that the engine does not have yet
	Lost      uint64          `json:"lost"`    // of those, as there were too many
	Refused   uint64          `json:"refused"` // events whose origin is not known
	Machines  []machineReport `json:"machines"`
}

// machineReport is another machine.
type machineReport struct {
	Name    string `json:"name"`
	Seconds int    `json:"heard"` // since its last event
	Applied uint64 `json:"applied"`
	Refused uint64 `json:"refused"`
}

// addSharing adds what is shared, if anything is.
func (r *report) addSharing(l *ledger.Ledger) {
	s, err := l.Sharing(ledger.Now())
	if err != nil || !s.On {
		return
	}
	r.Sharing = &sharingReport{s.Name, s.Connected, s.Lag.Seconds(), s.Waiting, s.Lost, s.Refused,
		[]machineReport{}}
	for _, o := range s.Origins {
		r.Sharing.Machines = append(r.Sharing.Machines, machineReport{o.Name,
			int(o.Heard.Seconds()), o.Applied, o.Refused})
	}
}

// print writes it as lines of the table.
func (s *sharingReport) print(w io.Writer) {
	if s == nil {
		return
	}
	state := "with the engine"
	if !s.Connected {
		state = "without the engine, which is away"
	}
	fmt.Fprintf(w, "\nsharing\tas %s, %s: events: %d to send, %d lost, %d refused\n", s.Name, state,
		s.Waiting, s.Lost, s.Refused)
	for _, m := range s.Machines {
		fmt.Fprintf(w, "  %s\tevents: %d applied, %d refused, the last %v ago\n", m.Name, m.Applied,
			m.Refused, time.Duration(m.Seconds)*time.Second)
	}
}
