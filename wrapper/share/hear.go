package share

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// What other machines say
//
// Everything here comes from whoever can write to the engine.

// hearAtOnce is after how many events the ledger is left alone for hearPause, which is about as
// long as they take.
const (
	hearAtOnce = 128
	hearPause  = time.Millisecond
)

// hearAll does what events ask for. However many there are, others get the ledger's lock every few
// milliseconds: without the pauses a room waited for up to 50 ms on a busy machine.
func (m *member) hearAll(stop context.Context, texts []string, ofState bool) {
	for some := range slices.Chunk(texts, hearAtOnce) {
		for _, text := range some {
			m.hear(stop, text, ofState)
		}
		time.Sleep(hearPause)
	}
}

// hear does what an event asks for, if it is to be believed. ofState says that it comes from the
// state, not from the stream.
func (m *member) hear(stop context.Context, text string, ofState bool) {
	now := m.engineTime()
	e, err := Parse(text, now)
	if err != nil {
		m.refuse(stop, "", "an event that "+err.Error())
		return
	}
	if e.Origin == m.name && !ofState || !m.shares(e.Kind) || !m.believes(e.Origin) {
		return
	}
	switch e.Kind {
	case ledger.OutboxBlock, ledger.OutboxUnblock:
		m.hearBlock(stop, e, now)
		if ofState {
			m.words.Stated(&e)
		}
	case ledger.OutboxKnown:
		m.hearKnown(stop, e, now)
	case ledger.OutboxRcpts:
		m.hearRcpts(stop, e, now)
	}
}

// engineTime is the engine's time now, in ms.
func (m *member) engineTime() (ms int64) {
	now, err := m.ledger.Time(ledger.Now())
	if err != nil {
		return 0
	}
	return (now + m.clock).Milliseconds()
}

func (m *member) believes(name string) bool {
	from := m.cfg.Share.From
	return from == nil || name == m.name || slices.Contains(from, name)
}

// counted says whether the network is one under which this machine counts clients.
func (m *member) counted(network netip.Prefix) bool {
	bits := m.cfg.CountBy.V4
	if network.Addr().Is6() {
		bits = m.cfg.CountBy.V6
	}
	return network.Bits() == bits
}

// hearBlock follows the last word about a network.
func (m *member) hearBlock(stop context.Context, e Event, now int64) {
	if !m.words.Wins(&e) {
		return
	}
	if e.Kind == ledger.OutboxBlock {
		if allowed, found := m.cfg.Networks.Allowed(e.Network); found &&
			allowed.Network.Bits() <= e.Network.Bits() {
			m.refuse(stop, e.Origin, "a block of what is allowed here")
			return
		}
		if _, found := m.own.In(e.Network); found {
			m.refuse(stop, e.Origin, "a block of this machine's own address")
			return
		}
	}
	if m.limit.reached(now) {
		m.refuse(stop, e.Origin, "more blocks than share_limit")
		if retry := time.Now().Add(max(m.limit.Per, tidyEvery)); retry.Before(m.syncAt) {
			m.syncAt = retry // no later, however often blocks are refused
		}
		return
	}
	if m.apply(stop, e) { // also this machine's own word: anybody can have written it
		m.limit.count(now)
	}
}

// left is for how long a block still runs here: that of another machine for at most block max=
// after its beginning, however often it is read.
func (m *member) left(e *Event, now int64) time.Duration {
	till := e.Till
	if e.Origin != m.name {
		till = min(till, e.At+m.cfg.Block.Max.Milliseconds())
	}
	return time.Duration(till-now) * time.Millisecond
}

// apply has the ledger follow the word. It reports whether a block has begun, changed or ended.
func (m *member) apply(stop context.Context, e Event) (changed bool) {
	now := m.engineTime()
	left := m.left(&e, now)
	if e.Kind == ledger.OutboxBlock && left <= 0 {
		m.words.Applied(e, 0)
		return false
	}
	var began time.Duration
	var ended bool
	var own uint64
	if !m.runFrom(stop, e.Origin, func(t *ledger.Tx) {
		if e.Kind == ledger.OutboxBlock {
			began = t.BlockElsewhere(e.Network, left, e.Reason, wrapper.Penalty(&m.cfg.Settings))
		} else {
			ended = t.UnblockElsewhere(e.Network)
		}
		t.CountOrigin(true)
		own = t.LastEvent()
	}) {
		return false
	}
	m.words.Applied(e, own)
	switch {
	case began > 0:
		m.enforce.Add(enforce.Block{Network: e.Network, For: began, Reason: e.Reason})
		m.note(maillog.NewLine("BLOCK").Str("network", e.Network.String()).Dur("for", began).
			Str("reason", e.Reason).Str("from", e.Origin).String())
	case ended:
		m.runAtEnd(e.Network)
		m.note(maillog.NewLine("UNBLOCK").Str("network", e.Network.String()).Int("freed", 1).
			Str("from", e.Origin).String())
	}
	return began > 0 || ended
}

// runAtEnd runs on_block for the end of a block, beside the loop. It waits for one after the other.
func (m *member) runAtEnd(network netip.Prefix) {
	e := enforce.Enforcer{Config: m.cfg, Log: m.log}
	if !e.RunsHookAtEnd(network) {
		return
	}
	select {
	case m.ends <- func() { _ = e.RunHook(enforce.Block{Network: network}) }: // it is logged
	default:
		m.warn("share: too many blocks end at once: on_block was not run for the end of " +
			network.String())
	}
}

func (m *member) hearKnown(stop context.Context, e Event, now int64) {
	left := min(time.Duration(e.Till-now)*time.Millisecond, m.cfg.Remember)
	switch {
	case e.Origin == m.name, left <= 0:
	case !m.counted(e.Network):
		m.refuse(stop, e.Origin, "a client that is counted by other widths there")
	default:
		m.runFrom(stop, e.Origin, func(t *ledger.Tx) {
			if t.KnownElsewhere(e.Network, left) {
				t.CountOrigin(true)
			}
		})
	}
}

func (m *member) hearRcpts(stop context.Context, e Event, now int64) {
	per := m.cfg.BadRcptsTotal.Per
	switch {
	case per == 0, time.Duration(now-e.At)*time.Millisecond > per:
	case !m.counted(e.Network):
		m.refuse(stop, e.Origin, "recipients that are counted by other widths there")
	default:
		m.runFrom(stop, e.Origin, func(t *ledger.Tx) {
			more := ledger.Rcpts{Bad: e.Bad, Good: e.Good}
			if t.RcptsElsewhere(e.Number, e.Network, more, per) {
				t.CountOrigin(true)
			}
		})
	}
}

// runFrom is run in the name of that machine. It reports false, and refuses the event, if the
// ledger has no place for one more machine.
func (m *member) runFrom(stop context.Context, origin string, work func(*ledger.Tx)) bool {
	if origin == m.name {
		origin = ""
	}
	placed := false
	if !m.run(stop, func(t *ledger.Tx) {
		if placed = t.From(origin); placed {
			work(t)
		}
	}) {
		return false
	}
	if !placed {
		m.refuse(stop, "", "an event of one machine too many")
	}
	return placed
}

// refuse counts an event that is not believed. The log has one line a minute of each kind.
func (m *member) refuse(stop context.Context, origin, what string) {
	m.run(stop, func(t *ledger.Tx) {
		if origin != "" && origin != m.name && t.From(origin) {
			t.CountOrigin(false)
		} else {
			t.NoteRefused()
		}
	})
	if origin == "" {
		origin = "somebody"
	}
	m.warnOnce(what, "share: "+origin+" says what is refused: "+what)
}

// limit is how many blocks may begin or end because of others.
type limit struct {
	rule.Rate
	began int64 // the engine's time, ms
	n     int
}

// over reports whether the time that began with the first is over.
func (l *limit) over(now int64) bool {
	age := now - l.began
	return age < 0 || age >= l.Per.Milliseconds()
}

func (l *limit) reached(now int64) bool { return l.n >= l.N && !l.over(now) }

func (l *limit) count(now int64) {
	if l.over(now) {
		l.began, l.n = now, 0
	}
	l.n++
}
