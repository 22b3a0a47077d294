package share

import (
	"context"
	"slices"
	"strconv"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/share/wire"
)

// send sends what is in the outbox, then what the engine has lost. When there is neither, it asks
// for the whole state, if that is due: not before, so that nothing that this machine has ended
// meanwhile comes back.
func (m *member) send(stop context.Context) {
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return
	}
	events, lost, err := m.ledger.Outbox(s.Sent, sendAtOnce)
	if err != nil {
		return
	}
	if len(events) == 0 && len(m.unstated) > 0 {
		m.sendAgain(stop, s.Sent)
		return
	}
	if len(events) == 0 {
		if !m.asked && time.Now().After(m.syncAt) {
			m.asked, m.syncAt = true, time.Now().Add(syncEvery)
			m.words.ReadState()
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
	m.sending, m.lost, m.repeated = last, lost, 0
	m.tell(wire.Send, lines...)
}

// recall takes the blocks of this machine for words of it, if there is no later one. After a start
// that is all that it knows of them, should the engine have lost what an earlier process has said.
func (m *member) recall() {
	now := m.engineTime() // first: so the words are no later than they were
	s, err := m.ledger.Sharing(ledger.Now())
	blocks, blocksErr := m.ledger.Blocks(ledger.Now())
	if err != nil || blocksErr != nil || !m.shares(ledger.OutboxBlock) {
		return
	}
	for i := range blocks {
		b := &blocks[i]
		e := Event{Kind: ledger.OutboxBlock, Network: b.Network, At: now - b.Age.Milliseconds(),
			Till: now + b.Left.Milliseconds(), Origin: m.name, Number: s.Sent, Reason: b.Reason}
		if b.From == "" && e.check(now) == nil && m.words.Wins(&e) {
			m.words.Applied(e, s.Sent)
		}
	}
}

// recallEnds does likewise for ends of blocks that the outbox still has, once the state was read.
// If there is no word at all about the network, the engine has lost them.
func (m *member) recallEnds() {
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil {
		return
	}
	// The last comes first. All at once would keep the ledger's lock for milliseconds.
	for n := uint64(sendAtOnce); n < ledger.OutboxSize+sendAtOnce; n += sendAtOnce {
		events, _, err := m.ledger.Outbox(s.Sent-min(s.Sent, n), sendAtOnce)
		if err != nil {
			return
		}
		for i := range slices.Backward(events) {
			m.recallEnd(&events[i], s.Sent)
		}
	}
}

func (m *member) recallEnd(o *ledger.OutboxEvent, sent uint64) {
	if o.Kind != ledger.OutboxUnblock || o.Number > sent {
		return
	}
	if e, ok := m.event(o); ok && m.words.Last(e.Network).Kind == 0 {
		m.words.Applied(*e, sent)
	}
}

// sendAgain sends some of what the engine has lost, with the number of the last event that it has
// had. A machine that knows these words takes no notice. What is no longer the last word about its
// network must not take the place of that in the state.
func (m *member) sendAgain(stop context.Context, sent uint64) {
	n := min(len(m.unstated), sendAtOnce)
	lines, now := []string{number(sent)}, m.engineTime()
	for i := range m.unstated[:n] {
		e := &m.unstated[i]
		if m.words.Last(e.Network) == *e && (e.Kind == ledger.OutboxUnblock || e.Till > now) {
			lines = append(lines, m.line(stop, e))
		}
	}
	if len(lines) == 1 {
		m.unstated = m.unstated[n:]
		return
	}
	m.sending, m.lost, m.repeated = sent, 0, n
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
		if m.words.Own(e) {
			m.apply(stop, *e)
		}
		key = "state:" + m.name + ":" + e.Network.String()
		// The end of a block is kept for longer than any block.
		ttl = EndKept.Milliseconds()
		if e.Kind == ledger.OutboxBlock {
			ttl = e.Till - m.engineTime()
		}
	case ledger.OutboxKnown:
		key, ttl = "known:"+e.Network.String(), e.Till-e.At
	}
	return key + " " + strconv.FormatInt(max(ttl, 1), 10) + " " + string(e.Append(nil))
}
