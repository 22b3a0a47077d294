package wrapper

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

// What only a room does with a session: it transfers the session to an MTA, counts it in another
// ledger, and leaves it to the program that takes the room's place.

// MTA is the program that the client is to get, and its arguments.
func (s *Session) MTA() []string { return s.door.Policy.MTA }

// Known says whether the client was known when it came, so that it need not wait.
func (s *Session) Known() bool { return s.facts().IsKnown() }

// Trusted says whether the client is known not only for having waited once.
func (s *Session) Trusted() bool { return s.facts().IsTrusted() }

// Allowed says whether the configuration allows the client, whatever it does.
func (s *Session) Allowed() bool { return s.facts().IsAllowed() }

// Crowded says whether Admit has not decided because others had the ledger.
func (s *Session) Crowded() bool { return s.crowded }

// Token is the session as the ledger knows it; zero if it does not.
func (s *Session) Token() ledger.Session { return s.token }

// TransferTo makes the session that of the MTA with this pid: from now on the ledger counts it as
// long as that process lives. On false the ledger could not be used: call it again.
func (s *Session) TransferTo(mta int) (ok bool) {
	if !s.Verdict.Served() {
		return true // it is served only because nothing is enforced, and does not count
	}
	p, err := ledger.Identify(mta)
	if err != nil {
		return s.End() // the MTA has ended already
	}
	a := s.arrival()
	return s.update(func(t *ledger.Tx) {
		var found bool
		if s.token, found = t.Transfer(s.token, p); !found {
			s.addTo(t, a, p) // it stood in another ledger, or could not be counted until now
		}
	}) == nil
}

// End ends a session that was served. On false the ledger could not be used.
func (s *Session) End() (ok bool) {
	return !s.Verdict.Served() || s.update(s.leave) == nil
}

// Recount counts a session in a ledger that has taken the place of another, as that of its MTA or,
// if mta is 0, of the room. On false the ledger could not be used.
func (s *Session) Recount(mta int) (ok bool) {
	p := s.door.Process
	if mta != 0 {
		if !s.Verdict.Served() {
			return true
		}
		var err error
		if p, err = ledger.Identify(mta); err != nil {
			return true // the MTA has ended
		}
	}
	a := s.arrival()
	return s.update(func(t *ledger.Tx) {
		if mta != 0 {
			t.FreeExcept(p, nobody) // another room's program may have counted it here
		}
		s.addTo(t, a, p)
	}) == nil
}

// addTo counts the session as that of the process. The client's arrival was counted before.
func (s *Session) addTo(t *ledger.Tx, a ledger.Arrival, p ledger.Process) {
	var ok bool
	s.token, ok = t.AddSession(a, p)
	s.entered = s.entered || ok
	if s.Served() {
		t.Serve(s.token)
	}
}

// LogEnd writes that an MTA has ended by a signal, or with another exit status than 0.
func (s *Session) LogEnd(
	mta int, level maillog.Level, after time.Duration, status unix.WaitStatus,
) {
	l := maillog.NewLine("ENDED").Addr("client", s.Client).Addr("server", s.Server)
	l.Dur("after", after)
	if status.Signaled() {
		l.Int("signal", int(status.Signal()))
	} else {
		l.Int("status", status.ExitStatus())
	}
	s.write(mta, level, l)
}

// HandoverVersion says which rooms a program can take over, and TakesOver says so for `sendwrap
// version`, by which a room finds out about the program that is to take its place.
const (
	HandoverVersion = 1
	TakesOver       = "takes over rooms of version 1"
)

// Saved is a session as one program leaves it to the next, in JSON.
type Saved struct {
	Client, Server netip.AddrPort
	Network        netip.Prefix `json:",omitzero"` // programs up to 0.9 do not say it
	Verdict        decide.Verdict
	Would          decide.Verdict `json:",omitzero"` // of a test that is observed
	Token          ledger.Session `json:"Counted"`
	Entered        bool           `json:"Stood"`
	Conns          int            // of its network, when it arrived
	Known          bool           // whether it was known when it arrived
	Delay          time.Duration  // that was decided at its arrival
	Turn           time.Duration
}

// Save returns what [Door.Restore] needs.
func (s *Session) Save() Saved {
	return Saved{
		s.Client, s.Server, s.network, s.Verdict, s.would, s.token, s.entered,
		s.facts().Conns, s.facts().Known, s.delay, s.turn,
	}
}

// Restore makes a session again that [Session.Save] has written down, and whose client is on fd.
// The rules of this door hold for it, but it keeps its network and its delay.
func (d *Door) Restore(fd int, saved Saved) *Session {
	s := d.NewSession(Connection{FD: fd, Client: saved.Client, Server: saved.Server})
	if saved.Network.IsValid() {
		s.network = saved.Network
	}
	s.Verdict, s.would, s.token, s.entered = saved.Verdict, saved.Would, saved.Token, saved.Entered
	s.facts().Conns, s.facts().Known = saved.Conns, saved.Known
	s.delay, s.waited, s.turn = saved.Delay, saved.Delay, saved.Turn
	if saved.Verdict == decide.Undecided && saved.Delay > 0 && s.asksDNS() {
		s.resumeAsking()
	}
	return s
}
