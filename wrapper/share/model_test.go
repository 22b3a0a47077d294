package share

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"sendwrap/wrapper/ledger"
)

// The model: three machines block and unblock networks. Each publishes at any later moment, each
// event reaches each machine at any moment, in any order, several times or never. What is lost is
// mended by the whole state. TestModel visits every state that can be reached, and asks in each: if
// everything were mended now, would everybody have the same blocks?

const machines = 3

var networks = [...]netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/64"),
}

// modelled is a machine of the model.
type modelled struct {
	words   Words
	holds   [len(networks)]Event // what its ledger follows; zero = never anything
	number  uint64               // of its last event
	pending []Event              // its outbox; At is the true time
}

type model struct {
	machines  [machines]modelled
	published []Event
	heard     [machines]uint32 // bit n: it has heard published event n
	now       int64
	left      int // doings
	skew      *[machines]int64
}

func (m model) clone() *model {
	for i := range m.machines {
		x := &m.machines[i]
		x.words.last, x.pending = maps.Clone(x.words.last), slices.Clone(x.pending)
	}
	m.published = slices.Clone(m.published)
	return &m
}

// do is a block or its end on one machine. It reports false if there is nothing to end.
func (m *model) do(machine, network int, kind ledger.OutboxKind) bool {
	x := &m.machines[machine]
	if kind == ledger.OutboxUnblock && x.holds[network].Kind != ledger.OutboxBlock {
		return false
	}
	m.now += int64(m.left % 2) // some happen within one millisecond
	m.left--
	x.number++
	e := Event{Kind: kind, Network: networks[network], At: m.now,
		Origin: string(rune('a' + machine)), Number: x.number}
	x.pending, x.holds[network] = append(x.pending, e), e
	return true
}

// publish sends what is in the outbox.
func (m *model) publish(machine int) {
	x := &m.machines[machine]
	for _, e := range x.pending {
		e.At += m.skew[machine]
		if x.words.Own(&e) {
			x.apply(x.words.last[e.Network].Event)
		} else if i := slices.Index(networks[:], e.Network); x.holds[i].Number == e.Number &&
			x.holds[i].Origin == e.Origin {
			x.holds[i].At = e.At
		}
		m.heard[machine] |= 1 << len(m.published)
		m.published = append(m.published, e)
	}
	x.pending = nil
}

func (x *modelled) apply(e Event) {
	x.holds[slices.Index(networks[:], e.Network)] = e
	x.words.Applied(e, x.number)
}

// hear is what a machine does with an event from elsewhere.
func (m *model) hear(machine, event int) {
	x, e := &m.machines[machine], m.published[event]
	m.heard[machine] |= 1 << event
	if x.words.Wins(&e) {
		x.apply(e)
	}
}

// mend has every machine publish what is left, and read the whole state, which has the last word of
// each machine about each network.
func (m *model) mend(backwards bool) {
	for i := range machines {
		m.publish(i)
	}
	state := map[string]int{}
	for i, e := range m.published {
		state[e.Origin+e.Network.String()] = i
	}
	events := slices.Sorted(maps.Values(state))
	if backwards {
		slices.Reverse(events)
	}
	for machine := range machines {
		for _, e := range events {
			m.hear(machine, e)
		}
	}
}

// check says what is wrong after mend.
func (m *model) check(now int64) string {
	for i, network := range networks {
		first := m.machines[0].holds[i]
		var last Event
		for _, e := range m.published {
			if e.Network == network && (last.Kind == 0 || e.newer(&last)) {
				last = e
			}
		}
		for _, x := range m.machines[1:] {
			if x.holds[i] != first {
				return fmt.Sprintf("%v: machines hold %+v and %+v", network, first, x.holds[i])
			}
		}
		if first != last {
			return fmt.Sprintf("%v: machines hold %+v, the last word is %+v", network, first, last)
		}
	}
	return ""
}

// key tells states apart.
func (m *model) key(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	number := func(n int64) {
		var b [8]byte
		binary.NativeEndian.PutUint64(b[:], uint64(n))
		_, _ = h.Write(b[:])
	}
	event := func(e *Event) {
		_, _ = h.WriteString(e.Origin)
		number(int64(e.Kind))
		number(e.At)
		number(int64(e.Number))
		number(int64(e.Network.Bits()))
	}
	number(m.now)
	number(int64(m.left))
	for i := range m.machines {
		x := &m.machines[i]
		number(int64(m.heard[i]))
		for n := range networks {
			event(&x.holds[n])
			word := x.words.last[networks[n]]
			event(&word.Event)
			number(int64(word.applied))
		}
		for n := range x.pending {
			event(&x.pending[n])
		}
	}
	number(-1)
	for i := range m.published {
		event(&m.published[i])
	}
	return h.Sum64()
}

// visit walks through all states that follow.
func (m *model) visit(t *testing.T, seen map[uint64]struct{}, seed maphash.Seed, nets int) {
	key := m.key(seed)
	if _, found := seen[key]; found || t.Failed() {
		return
	}
	seen[key] = struct{}{}
	for _, backwards := range []bool{false, true} {
		mended := m.clone()
		mended.mend(backwards)
		if wrong := mended.check(m.now); wrong != "" {
			t.Fatalf("%s\nafter %+v\nof %+v", wrong, mended, m)
		}
	}
	for machine := range machines {
		if len(m.machines[machine].pending) > 0 {
			next := m.clone()
			next.publish(machine)
			next.visit(t, seen, seed, nets)
		}
		for e := range m.published {
			next := m.clone()
			if next.hear(machine, e); m.published[e].Origin != string(rune('a'+machine)) {
				next.visit(t, seen, seed, nets)
			}
		}
		for network := range nets {
			for _, kind := range []ledger.OutboxKind{ledger.OutboxBlock, ledger.OutboxUnblock} {
				next := m.clone()
				if m.left > 0 && next.do(machine, network, kind) {
					next.visit(t, seen, seed, nets)
				}
			}
		}
	}
}

func TestModel(t *testing.T) {
	for _, tt := range []struct {
		name         string
		nets, doings int
		skew         [machines]int64
	}{
		{"two networks", 2, 2, [machines]int64{0, 3, -3}},
		{"clocks agree", 1, 3, [machines]int64{}},
		{"clocks are wrong", 1, 3, [machines]int64{0, 3, -3}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &model{now: 100, left: tt.doings, skew: &tt.skew}
			seen := map[uint64]struct{}{}
			m.visit(t, seen, maphash.MakeSeed(), tt.nets)
			t.Logf("%d states", len(seen))
		})
	}
}

// An end that a machine publishes with knowledge of the block is the last word, though the clock of
// the machine that has blocked is ahead.
func TestModelEndHolds(t *testing.T) {
	m := &model{now: 100, left: 2, skew: &[machines]int64{50, 0, -50}}
	m.do(0, 0, ledger.OutboxBlock)
	m.publish(0)
	m.hear(2, 0)
	if !m.do(2, 0, ledger.OutboxUnblock) {
		t.Fatal("the block of another machine could not be ended")
	}
	for _, backwards := range []bool{false, true} {
		mended := m.clone()
		mended.mend(backwards)
		for i, x := range mended.machines {
			if x.holds[0].Kind != ledger.OutboxUnblock {
				t.Errorf("machine %d holds %+v; want no block", i, x.holds[0])
			}
		}
	}
}
