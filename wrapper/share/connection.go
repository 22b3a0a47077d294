package share

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// setClock takes the engine's time. Events that may have got there keep their clock, so that they
// are the same when they are sent again.
func (m *member) setClock(stop context.Context, text string) {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms <= 0 || ms > 1<<44 {
		return
	}
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return
	}
	m.run(stop, func(t *ledger.Tx) {
		m.clock = s.Clock
		measured := time.Duration(ms)*time.Millisecond - t.Now()
		if s.Trying == s.Sent && (measured-s.Clock).Abs() >= oldClock {
			m.clock = measured
			t.NoteTrying(s.Sent, measured)
		}
	})
}

// find notes that the engine answers: it has had all that is here, and all of its state was read.
// Sooner it is not believed, since one that is full or read-only can be connected to.
func (m *member) find(stop context.Context) {
	if !m.run(stop, func(t *ledger.Tx) {
		t.NoteSynced()
		t.NoteConnected(true)
	}) {
		return
	}
	found := !m.answers
	m.answers, m.why = true, ""
	if found && m.mayLog(maxChanges, "times the engine was back") {
		m.note("share: " + m.version + " answers; this machine is " + m.name)
	}
}

// lose notes that the engine is away; why is "" if this process itself has left it. The log has a
// line when it goes, and another one for each other reason why it stays away: once a minute, and
// the last one is always told in the end, since `sendwrap share -check` sends people there.
func (m *member) lose(why string) {
	lost, now := m.answers, time.Now()
	m.connected, m.sending, m.asked, m.reading, m.answers = false, 0, false, false, false
	_ = m.ledger.Run(func(t *ledger.Tx) { t.NoteConnected(false) }) // nobody depends on it
	switch {
	case why == "":
		m.why = ""
	case lost && m.mayLog(maxChanges, "times the engine went away"):
		m.why = why
		m.warn("share: the engine is away: " + why + "; what happens meanwhile is sent later")
	case !lost && why != m.why && now.Sub(m.whyAt) > time.Minute:
		m.why, m.whyAt = why, now
		m.warn("share: " + why)
	}
}

// startReading has the courier read the stream from where this machine has stopped.
func (m *member) startReading() {
	if m.reading {
		return
	}
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return
	}
	m.reading = true
	m.tell(wire.Read, fmt.Sprintf("%d-%d", s.Position[0], s.Position[1]))
}

func (m *member) notePosition(stop context.Context, position, lag string) {
	var p [2]uint64
	if _, err := fmt.Sscanf(position, "%d-%d", &p[0], &p[1]); err != nil {
		return
	}
	ms, _ := strconv.ParseInt(lag, 10, 64)
	m.run(stop, func(t *ledger.Tx) { t.NotePosition(p, time.Duration(ms)*time.Millisecond) })
}

// tell sends a packet to the courier.
func (m *member) tell(verb string, lines ...string) {
	if m.courier != nil && m.courier.conn.Send(verb, lines...) != nil {
		m.loseCourier()
	}
}
