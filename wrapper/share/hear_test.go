package share

import (
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
	"sendwrap/wrapper/reload"
	"sendwrap/wrapper/share/wire"
)

// engineAhead is by how much the engine's clock is ahead of every other one in these tests.
const engineAhead = 5 * time.Hour

// startMember is a member that has just been connected, with a ledger in that file. The directives
// are besides those that it needs.
func startMember(t *testing.T, path, conf string) *member {
	t.Helper()
	file := filepath.Join(t.TempDir(), "conf")
	conf += "\nshare_engine valkey://127.0.0.1\nshare_name mx1\nlog none\nledger " + path +
		" clients=1024\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, mistakes := reload.Load(file)
	if cfg == nil || mistakes != nil {
		t.Fatal(mistakes)
	}
	m := &member{ends: make(chan func(), 1000)}
	m.LogTo = func(policy.LogTarget) maillog.Log { return maillog.None() }
	m.configure(cfg)
	t.Cleanup(m.enforce.Close)
	if err := m.openLedger(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.ledger.Close() })
	now := time.Now().Add(engineAhead)
	m.setClock(t.Context(), strconv.FormatInt(now.UnixMilli(), 10))
	m.recall()
	return m
}

// event is a block that a machine began that long ago, or the end of one, if block is 0.
func event(origin, network string, ago, block time.Duration) Event {
	now := time.Now().Add(engineAhead).UnixMilli()
	e := Event{Kind: ledger.OutboxUnblock, Network: netip.MustParsePrefix(network),
		At: now - ago.Milliseconds(), Origin: origin, Number: uint64(time.Now().UnixNano())}
	if block > 0 {
		e.Kind, e.Till = ledger.OutboxBlock, e.At+block.Milliseconds()
	}
	return e
}

// says has a machine say that.
func (m *member) says(t *testing.T, origin, network string, ago, block time.Duration) {
	t.Helper()
	e := event(origin, network, ago, block)
	m.hear(t.Context(), string(e.Append(nil)), origin == m.name) // its own is in the state alone
}

// blocksLeft is for how long each network is blocked.
func blocksLeft(t *testing.T, m *member) map[string]time.Duration {
	t.Helper()
	blocks, err := m.ledger.Blocks(ledger.Now())
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]time.Duration{}
	for _, b := range blocks {
		left[b.Network.String()] = b.Left
	}
	return left
}

// checkLeft wants exactly these blocks to be left, for about that long.
func checkLeft(t *testing.T, m *member, want map[string]time.Duration) {
	t.Helper()
	got := blocksLeft(t, m)
	for network, d := range want {
		if (got[network] - d).Abs() > 10*time.Minute {
			t.Errorf("%s is blocked for %v; want %v", network, got[network], d)
		}
	}
	if len(got) != len(want) {
		t.Errorf("blocks %v; want %v", got, want)
	}
}

// A block of another machine ends by the engine's clock, and no later than block max= after its
// beginning, also if a process that has just been started hears of it again. One of this machine is
// as long as it was made.
func TestBlockEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	const conf = "block max=2h"
	m := startMember(t, path, conf)
	long := ledger.Penalty{Max: ledger.MaxBlock}
	if err := m.ledger.Run(func(tx *ledger.Tx) {
		tx.BlockForProgram(netip.MustParsePrefix("198.18.0.9/32"), 48*time.Hour, "x", long)
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{"198.18.0.1/32": time.Hour, "198.18.0.2/32": 90 * time.Minute,
		"198.18.0.9/32": 48 * time.Hour}
	for range 2 {
		m.says(t, "mx2", "198.18.0.1/32", 0, time.Hour)
		m.says(t, "mx2", "198.18.0.2/32", 30*time.Minute, 24*time.Hour)
		m.says(t, "mx2", "198.18.0.3/32", 3*time.Hour, 24*time.Hour) // over, here
		m.says(t, "mx1", "198.18.0.9/32", 0, 48*time.Hour)
		checkLeft(t, m, want)
		m = startMember(t, path, conf)
	}
}

// What an administrator allows, and this machine itself, is blocked by nobody's word.
func TestOwnWordHolds(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"),
		"allow 198.18.1.0/24\nshare_from mx2 mx3")
	for _, network := range []string{"198.18.1.0/24", "198.18.1.7/32", "127.0.0.0/8", "::1/128"} {
		m.says(t, "mx2", network, 0, time.Hour)
	}
	m.says(t, "mx4", "198.18.2.1/32", 0, time.Hour) // is not believed
	m.says(t, "mx3", "198.18.0.0/16", 0, time.Hour) // holds for the others in it
	checkLeft(t, m, map[string]time.Duration{"198.18.0.0/16": time.Hour})
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil || len(s.Origins) != 2 || s.Origins[0].Refused != 4 {
		t.Errorf("%+v, %v; want four refused events of mx2, and mx3", s.Origins, err)
	}
}

// Beyond share_limit nothing changes, until its time is over. What changes nothing is no part of
// it: a process that has just been started finds in the state what its ledger has.
func TestLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	const conf = "share_limit 2/1h"
	m := startMember(t, path, conf)
	m.says(t, "mx2", "198.18.0.1/32", 0, time.Hour)
	m.says(t, "mx2", "198.18.0.2/32", 0, time.Hour)
	m = startMember(t, path, conf)
	for range 2 {
		m.says(t, "mx2", "198.18.0.1/32", 0, time.Hour)
		m.says(t, "mx2", "198.18.0.2/32", 0, time.Hour)
	}
	m.says(t, "mx2", "198.18.0.3/32", 0, time.Hour)
	m.says(t, "mx2", "198.18.0.1/32", 0, 0)
	m.says(t, "mx2", "198.18.0.2/32", 0, 0) // one too many
	m.says(t, "mx3", "198.18.0.4/32", 0, time.Hour)
	want := map[string]time.Duration{"198.18.0.2/32": time.Hour, "198.18.0.3/32": time.Hour}
	checkLeft(t, m, want)
	m.limit.began -= time.Hour.Milliseconds()
	m.says(t, "mx3", "198.18.0.4/32", 0, time.Hour)
	want["198.18.0.4/32"] = time.Hour
	checkLeft(t, m, want)
}

// The word of a machine for which the ledger has no place does nothing, and is counted.
func TestTooManyMachines(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "share_limit 1000/1m")
	const places = 124
	want := map[string]time.Duration{}
	for n := range places {
		network := "198.18.0." + strconv.Itoa(n) + "/32"
		m.says(t, "other"+strconv.Itoa(n), network, 0, time.Hour)
		want[network] = time.Hour
	}
	m.says(t, "more", "198.18.1.1/32", 0, time.Hour)
	m.says(t, "more", "198.18.0.1/32", 0, 0)
	known := about(ledger.OutboxKnown, "198.18.1.1/32")
	known.Origin = "more"
	m.hears(t, known)
	checkLeft(t, m, want)
	s, err := m.ledger.Sharing(ledger.Now())
	if err != nil || len(s.Origins) != places || s.Refused != 3 || m.known(t, "198.18.1.1") {
		t.Errorf("%d machines, %d refused, %v; want %d, 3", len(s.Origins), s.Refused, err, places)
	}
}

// A machine tells, and believes, only what its configuration shares.
func TestOnlyWhatIsShared(t *testing.T) {
	m := startMember(t, filepath.Join(t.TempDir(), "ledger"), "share badrcpts")
	m.says(t, "mx2", "198.18.0.1/32", 0, time.Hour)
	checkLeft(t, m, nil)
	network := netip.MustParsePrefix("198.18.0.1/32")
	for kind, want := range map[ledger.OutboxKind]bool{ledger.OutboxBlock: false,
		ledger.OutboxUnblock: false, ledger.OutboxKnown: false, ledger.OutboxRcpts: true} {
		o := ledger.OutboxEvent{Kind: kind, Network: network, At: time.Hour}
		if kind == ledger.OutboxBlock || kind == ledger.OutboxKnown {
			o.For = time.Hour
		}
		if _, ok := m.event(&o); ok != want {
			t.Errorf("is an event of kind %d sent? %v; want %v", kind, ok, want)
		}
	}
}

// Events that may have got to the engine keep their times when they are sent again, though its
// clock has been set meanwhile: so all take them for the same.
func TestEventsKeepTheirTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	m := startMember(t, path, "")
	network := netip.MustParsePrefix("198.18.0.1/32")
	if err := m.ledger.Run(func(tx *ledger.Tx) { tx.Remember(network, time.Hour) }); err != nil {
		t.Fatal(err)
	}
	m.send(t.Context())
	if s, err := m.ledger.Sharing(ledger.Now()); err != nil || s.Waiting != 1 {
		t.Errorf("%d events wait, %v; want one until the engine has said that it has it", s.Waiting,
			err)
	}
	later := strconv.FormatInt(time.Now().Add(engineAhead+time.Hour).UnixMilli(), 10)
	again := startMember(t, path, "")
	again.setClock(t.Context(), later)
	if again.clock != m.clock {
		t.Errorf("the clock has changed by %v with an event under way", again.clock-m.clock)
	}
	if err := again.ledger.Run(func(tx *ledger.Tx) { tx.NoteSent(m.sending, 0) }); err != nil {
		t.Fatal(err)
	}
	again.setClock(t.Context(), later)
	if moved := again.clock - m.clock; (moved - time.Hour).Abs() > 10*time.Minute {
		t.Errorf("the clock has changed by %v; want an hour", moved)
	}
}

// What has been read of the stream is in the ledger, for a process that starts later.
func TestPlaceIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	m := startMember(t, path, "")
	m.take(t.Context(), packet{wire.Events, []string{"1800000000000-7", "12", "no event"}})
	s, err := startMember(t, path, "").ledger.Sharing(ledger.Now())
	if err != nil || s.Position != [2]uint64{1_800_000_000_000, 7} || s.Refused != 1 {
		t.Errorf("%+v, %v; want the place, and one refused event", s, err)
	}
}
