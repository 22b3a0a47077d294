package wrapper

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/policy"
)

// log writes the one line of the connection: the verdict, then whatever applies of the keys,
// always in this order. sendwrap(8) explains each of them. The line has the pid of the MTA that was
// started for the client, or our own if that is 0.
func (s *Session) log(mta int) {
	f, v := s.facts(), s.shown()
	l := line(v, s.Connection)
	if s.door.Policy.Mode == policy.Observe || v != s.Verdict {
		l.Str("mode", policy.Observe.String())
	}
	if v != s.Verdict {
		f = f.AsEnforced() // the line says which test would have decided, and what it found
	}
	s.logNetwork(l, f, v)
	if s.delay > 0 || s.greet != decide.Quiet {
		l.DurOf("wait", s.waited, s.delay)
	}
	if s.turn >= shortestTurn {
		l.Dur("turn", s.turn)
	}
	s.logPlaces(l, f, v)
	s.logConns(l, f, v)
	if s.hangups > 0 {
		l.Int("hangups", s.hangups)
	}
	if v == decide.Rate {
		logRate(l, f)
	}
	s.logHeard(l)
	if open := s.whyOpen(); open != notOpen {
		l.Str("open", open.String())
	}
	s.logBlock(l, f, v)
	if !s.Served() && s.Verdict != decide.Hangup {
		l.Str("reply", replyCode(s.reply()))
	}
	if hint := s.hint(v); hint != "" {
		l.Quote("hint", hint)
	}
	if s.greet == decide.Spoke {
		l.Str("kind", s.early.Kind.String()).Int("bytes", s.early.Bytes)
		l.Data("data", s.early.Text)
	}
	s.write(mta, maillog.Info, l)
}

// logNetwork says what the verdict is about, where that is not the client alone.
func (s *Session) logNetwork(l *maillog.Line, f *decide.Facts, v decide.Verdict) {
	var network netip.Prefix
	switch v {
	case decide.Denied, decide.Allowed:
		by := f.Decider()
		l.Str("rule", by.Source.String())
		if by.Name == "" {
			network = by.Network
		}
	case decide.Blocked:
		network = f.Network
	case decide.Conns, decide.Rate:
		if n := f.DecidedByWide(v); n >= 0 {
			network = f.Limits.Wide[n].Network
		} else if v == decide.Conns && f.WideDecides() {
			network = netip.PrefixFrom(s.Client.Addr(), ledger.WideBits).Masked()
		}
	case decide.Pregreet:
		if s.struck != nil && s.struck.Network != s.network {
			network = s.struck.Network
		}
	}
	if network.IsValid() {
		l.Str("network", network.String())
	}
}

// logPlaces says how many places are taken, for a client that they are too few for.
func (s *Session) logPlaces(l *maillog.Line, f *decide.Facts, v decide.Verdict) {
	switch {
	case v == decide.Conns && (f.WideDecides() || f.HasItsShare()):
	case v != decide.Busy:
		return
	case s.crowded:
		l.Str("reason", "ledger")
	case !f.Full() && f.Reserved():
		l.Str("reason", "reserve")
	}
	l.IntOf("serving", f.Serving, f.Limits.MaxSessions)
	l.IntOf("waiting", f.Waiting, f.Limits.MaxWaiting)
	if f.Limits.RefuseLoad > 0 {
		l.FloatOf("load", f.Load, f.Limits.RefuseLoad)
	}
}

// logConns says how many sessions the network has, or the wide one that has as many as it may.
func (s *Session) logConns(l *maillog.Line, f *decide.Facts, v decide.Verdict) {
	most := f.Limits.ClientConns
	switch n := f.DecidedByWide(v); {
	case v == decide.Conns && n >= 0:
		l.IntOf("conns", int(f.WideCounts[n].Conns), f.Limits.Wide[n].Conns)
	case v == decide.Conns:
		conns, served := f.Conns, f.Served
		if f.WideDecides() {
			conns, served = f.Wide.Conns, f.Wide.Served
		} else if s.entered && v == s.Verdict { // else those were too many before it came
			conns++
		}
		l.IntOf("conns", conns, most)
		if n := f.Share(); n > 0 {
			l.IntOf("mta", served, n)
		}
	case s.entered && v == decide.Allowed:
		l.IntOf("conns", f.Conns+1, 0)
	case s.entered:
		l.IntOf("conns", f.Conns+1, most)
	}
}

// logRate says of which arrivals the network, or a wide one, has as many as it may.
func logRate(l *maillog.Line, f *decide.Facts) {
	arrivals, rate := f.Arrivals, f.Limits.ClientRate
	if n := f.DecidedByWide(decide.Rate); n >= 0 {
		w := &f.Limits.Wide[n]
		arrivals, rate = int(f.WideCounts[n].Arrivals), rule.Rate{N: w.Rate, Per: w.Per}
	}
	l.IntOf("rate", arrivals, rate.N).Str("per", rule.FormatDuration(rate.Per))
}

// logBlock says what the client's offence has led to, or which block has refused it.
func (s *Session) logBlock(l *maillog.Line, f *decide.Facts, v decide.Verdict) {
	struck := s.struck
	if struck != nil {
		l.IntOf("strikes", struck.Strikes, struck.Of)
		if struck.Would.IsValid() {
			l.Str("would_block", struck.Would.String())
		}
	}
	switch {
	case struck != nil && struck.Block > 0:
		l.Dur("left", struck.Block)
	case v == decide.Blocked:
		l.Dur("left", f.BlockLeft).Str("reason", f.Reason)
		if f.From != "" {
			l.Str("from", f.From)
		}
	}
}

// shortestTurn is the shortest wait for its turn that the log mentions.
const shortestTurn = 10 * time.Millisecond

// hint is what an administrator can do if the client is honest. The log says it once the network is
// blocked, and for an offence without a strike, after which it never will be.
func (s *Session) hint(v decide.Verdict) string {
	switch {
	case v == decide.Blocked:
		return decide.Hint(s.facts().Reason)
	case v == decide.Pregreet && s.struck == nil:
		return decide.Hint(decide.Reason(s.early.Kind))
	}
	return ""
}

// logFailure writes why a client that was to be served is refused.
func (s *Session) logFailure(why error) {
	l := s.line().Str("reply", replyCode(s.reply())).Quote("error", why.Error())
	s.write(0, maillog.Err, l)
}

// line begins a line about the connection.
func (s *Session) line() *maillog.Line { return line(s.Verdict, s.Connection) }

func line(v decide.Verdict, c Connection) *maillog.Line {
	return maillog.NewLine(v.String()).Addr("client", c.Client).Addr("server", c.Server)
}

func (s *Session) write(pid int, level maillog.Level, l *maillog.Line) {
	if pid == 0 {
		pid = s.door.Process.PID
	}
	if pid == 0 {
		pid = unix.Getpid() // the client was not counted
	}
	if s.door.Log.WriteAs(pid, level, l.String()) != nil { // that is nothing to fail for
		s.door.Ledger.CountTrouble(ledger.Unlogged, 1)
	}
}

// replyCode is what the log says of the reply to the client.
func replyCode(line string) string {
	if line == "" {
		return "none"
	}
	return line[:3]
}
