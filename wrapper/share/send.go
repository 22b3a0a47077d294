package share

import (
	"context"
	"strconv"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// send sends what is in the outbox. When that is empty it asks for the whole state, if that is due:
// not before, so that nothing that this machine has ended meanwhile comes back.
func (m *member) send(stop context.Context) {
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return
	}
	events, lost, err := m.ledger.Outbox(s.Sent, sendAtOnce)
	if err != nil {
		return
	}
	if len(events) == 0 {
		if !m.asked && time.Now().After(m.syncAt) {
			m.asked = true
			m.tell(wire.All)
		}
		return
	}
	last := events[len(events)-1].Number
	lines := []string{number(last)}
	for i := range events {
		if e, ok := m.event(&events[i]); ok {
			lines = append(lines, m.line(stop, e))
		}
	}
	if len(lines) == 1 {
		m.run(stop, func(t *ledger.Tx) { t.NoteSent(last, lost) })
		return
	}
	m.run(stop, func(t *ledger.Tx) { t.NoteTrying(last, m.clock) })
	m.sending, m.lost = last, lost
	m.tell(wire.Send, lines...)
}

// event is an event of the outbox as others read it. It reports false if it is not shared.
func (m *member) event(o *ledger.OutboxEvent) (e *Event, ok bool) {
	if !m.shares(o.Kind) {
		return nil, false
	}
	e = &Event{Kind: o.Kind, Network: o.Network, At: (o.At + m.clock).Milliseconds(),
		Origin: m.name, Number: o.Number, Bad: o.Rcpts.Bad, Good: o.Rcpts.Good, Reason: o.Reason}
	if o.For > 0 {
		e.Till = e.At + o.For.Milliseconds()
	}
	return e, e.check(e.At) == nil // a network that is too wide is this machine's own affair
}

func (m *member) shares(kind ledger.OutboxKind) bool {
	what := m.cfg.Share.What
	switch kind {
	case ledger.OutboxBlock, ledger.OutboxUnblock:
		return what&config.ShareBlocks != 0
	case ledger.OutboxKnown:
		return what&config.ShareKnown != 0
	case ledger.OutboxRcpts:
		return what&config.ShareBadRcpts != 0
	}
	return false
}

// line is the event as the courier gets it, with the key that keeps it. Its time is final.
func (m *member) line(stop context.Context, e *Event) string {
	key, ttl := "-", int64(0)
	switch e.Kind {
	case ledger.OutboxBlock, ledger.OutboxUnblock:
		again := m.words.Own(e)
		if last := m.words.Last(e.Network); again {
			m.apply(stop, last)
		}
		key = "state:" + m.name + ":" + e.Network.String()
		// The end of a block is kept for longer than any block.
		ttl = EndKept.Milliseconds()
		if e.Kind == ledger.OutboxBlock {
			ttl = e.Till - e.At
		}
	case ledger.OutboxKnown:
		key, ttl = "known:"+e.Network.String(), e.Till-e.At
	}
	return key + " " + strconv.FormatInt(max(ttl, 1), 10) + " " + string(e.Append(nil))
}
