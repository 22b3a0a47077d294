package replay

import (
	"cmp"
	"container/heap"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sendwrap/allowlist"
	"sendwrap/tests/lab"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/lookup"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// The tests make a world of clients, of which they know what each would do in any case. The door
// decides about them with a clock that follows the events, and logs.

// caller is a connection in the world.
type caller struct {
	at      time.Duration // since the world began
	client  netip.AddrPort
	does    decide.Greet  // within any delay that lasts until when
	when    time.Duration //
	stays   time.Duration // with its MTA
	kind    policy.Kind
	listed  int // how many of the lists name it: none, the first, both
	answers time.Duration
}

// world is what a configuration makes of the callers.
type world struct {
	*replay
	t        testing.TB
	log      net.PacketConn
	text     strings.Builder
	verdicts map[netip.AddrPort]decide.Verdict
}

// begins is when the world begins.
var begins = time.Date(2026, 12, 28, 0, 0, 0, 0, time.UTC)

// configure reads a configuration.
func configure(t testing.TB, conf string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "new.conf")
	if err := os.WriteFile(file, []byte("hostname mx.example\n"+conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// live lets the callers come. The log is as rsyslog writes it, to the microsecond.
func live(t testing.TB, conf string, callers []caller) *world {
	t.Helper()
	cfg := configure(t, conf)
	w := &world{t: t, verdicts: map[netip.AddrPort]decide.Verdict{},
		replay: &replay{Options: Options{Config: cfg}}}
	w.living, w.memory, w.changes = newLiving(), newMemory(), newChanges()
	w.clock = moment(begins.UnixNano())
	w.started = w.clock
	if err := w.open(); err != nil {
		t.Fatal(err)
	}
	defer w.door.Ledger.Close()
	dir, err := os.MkdirTemp("", "log") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "log")
	if w.log, err = net.ListenPacket("unixgram", socket); err != nil {
		t.Fatal(err)
	}
	defer w.log.Close()
	w.door.Log = maillog.Syslog(socket)
	for i, c := range callers {
		w.later(w.started.after(c.at), i, func() { w.arrive(i, c) })
	}
	for len(w.events) > 0 {
		e := heap.Pop(&w.events).(event)
		w.clock = e.at
		e.do()
	}
	return w
}

func (w *world) arrive(i int, c caller) {
	s := w.door.NewPastSession(wrapper.Connection{FD: -1, Client: c.client,
		Server: netip.MustParseAddrPort("198.51.100.5:25")}, wrapper.Past{Kind: c.kind})
	if !s.Arrive() {
		w.done(i, c, s)
		return
	}
	delay, g := s.Delay(), decide.Quiet
	if c.does != decide.Quiet && (c.when < delay || c.when == 0) {
		delay, g = c.when, c.does
	}
	concluded := false
	conclude := func() {
		if waited := time.Duration(w.clock-w.started) - c.at; !concluded {
			concluded = true
			s.Conclude(g, waited)
			w.done(i, c, s)
		}
	}
	if len(w.door.Policy.Lists) > 0 && c.answers < delay {
		w.later(w.clock.after(c.answers), i, func() {
			s.HearPast(w.heard(c))
			if s.Decided() {
				g = decide.Quiet
				conclude()
			}
		})
	}
	w.later(w.clock.after(delay), i, conclude)
}

// heard is what DNS says about the caller.
func (w *world) heard(c caller) (h lookup.Result) {
	h.Done, h.Heard = true, true
	for i := range w.door.Policy.Lists[:min(c.listed, len(w.door.Policy.Lists))] {
		hit := lookup.Hit{List: i, Addr: netip.MustParseAddr("127.0.0.2")}
		hit.Weight = w.door.Policy.Lists[i].Weight([]netip.Addr{hit.Addr})
		h.Hits = append(h.Hits, hit)
		h.Score.Sum += hit.Weight
	}
	h.Settle()
	return h
}

// done logs a verdict.
func (w *world) done(i int, c caller, s *wrapper.Session) {
	w.verdicts[c.client] = s.Verdict
	s.Account(4000 + i)
	w.take()
	if s.Verdict.Served() {
		w.later(w.clock.after(c.stays), i, func() { s.End() })
	}
}

// take puts the line that was logged into the log.
func (w *world) take() {
	w.t.Helper()
	_ = w.log.SetReadDeadline(time.Now().Add(lab.Patience))
	b := make([]byte, 2048)
	n, _, err := w.log.ReadFrom(b)
	if err != nil {
		w.t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(b[:n]), ">")
	_, line, _ = strings.Cut(line, "sendwrap[")
	fmt.Fprintf(&w.text, "%s mx sendwrap[%s\n", w.clock.time().UTC().Format(
		"2006-01-02T15:04:05.000000Z07:00"), line)
}

// line is a line of the world's log at that time.
func line(at time.Duration, text string) string {
	return begins.Add(at).Format("2006-01-02T15:04:05.000000Z07:00") + " mx sendwrap[7]: " + text +
		"\n"
}

// again replays a log.
func again(t testing.TB, log, conf string) *Result {
	t.Helper()
	o := Options{Config: configure(t, conf), File: "new.conf", Session: time.Minute}
	o.Logs, o.Stdin, o.Now, o.Zone = []string{"-"}, strings.NewReader(log), time.Now(), time.UTC
	r, err := Run(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// caught is the change of each client, in words, as the replay says it.
func caught(r *Result) map[string]int {
	all := map[string]int{}
	for _, c := range r.Clients {
		for _, one := range c.Changes {
			all[fmt.Sprint(c.Client, " ", one.Then, " ", one.Now)] += one.Count
		}
	}
	return all
}

// truth is the same, as two worlds have it.
func truth(then, now *world) map[string]int {
	all := map[string]int{}
	for client, v := range then.verdicts {
		if other := now.verdicts[client]; v != other {
			all[fmt.Sprint(client.Addr(), " ", v, " ", other)]++
		}
	}
	return all
}

// differ names what is in one and not in the other.
func differ(t testing.TB, got, want map[string]int) {
	t.Helper()
	for key, n := range want {
		if got[key] != n {
			t.Errorf("%s: %d times; want %d", key, got[key], n)
		}
	}
	for key, n := range got {
		if want[key] == 0 {
			t.Errorf("%s: %d times; want none", key, n)
		}
	}
}

func inOrder(a, b caller) int { return cmp.Compare(a.at, b.at) }
