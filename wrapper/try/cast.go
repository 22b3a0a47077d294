package try

import (
	"fmt"
	"net/netip"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// The cast: each role has an address of its own on loopback, 127.N.0.1, so that each is counted for itself.
const (
	patient = iota + 1
	slammer
	hasty
	trusted
	unwanted
	crowd
	flooder
	striker
	quiet
	mistaken
	guesser
	spreader
)

func addressOf(role byte) netip.Addr { return netip.AddrFrom4([4]byte{127, role, 0, 1}) }

// crowdSize is how many come at once.
const crowdSize = 20

// crowdConns is client_conns for the crowd: the configuration's, if the crowd is large enough to meet it.
func crowdConns(c *config.Config) int {
	if c.ClientConns > 0 && c.ClientConns < crowdSize {
		return c.ClientConns
	}
	return 5
}

// floodRate is client_rate for the flooder: the configuration's, if a short flood goes beyond it within the time.
func floodRate(c *config.Config) allowlist.Rate {
	if r := c.ClientRate; r.N > 0 && r.N <= 20 && r.Per >= time.Minute {
		return r
	}
	return allowlist.Rate{N: 10, Per: time.Minute}
}

// beyond is how often the flooder comes once it has come too often.
const beyond = 5

// networks are the lines of sendwrap.conf that make the cast what it is. A limit that is no part of a role does not hold for it.
func networks(c *config.Config, inRoom bool) []string {
	lines := []string{
		fmt.Sprintf("allow %v %v", addressOf(trusted), foreigner),
		fmt.Sprintf("deny %v", addressOf(unwanted)),
		fmt.Sprintf("client %v client_conns=%d client_rate=0", addressOf(crowd), crowdConns(c)),
		fmt.Sprintf("client %v client_conns=0 client_rate=%v greet_delay=0", addressOf(flooder), floodRate(c)),
	}
	for _, role := range []byte{patient, slammer, hasty, striker} {
		lines = append(lines, fmt.Sprintf("client %v client_conns=0 client_rate=0", addressOf(role)))
	}
	if inRoom {
		lines = append(lines, fmt.Sprintf("client %v client_conns=0 client_rate=0 greet_delay=%v", addressOf(quiet), longDelay))
	}
	return append(lines, guessers(c)...)
}

// scene is one entrance: who comes, what it does, and what must be seen.
type scene struct {
	who  netip.Addr
	does string
	play func(call call) []sight
	want expectation
	note func() string // what else there is to say of it, if it went well; may be nil

	guarded bool // the MTA asks the guard
	ends    bool // it is the end of the room: nobody comes
	abroad  bool // who comes is of another network, and asks the MTA for a relay
}

// call makes a client come from an address.
type call func(from netip.Addr) (*client, error)

// Refusals as sendwrap(8) has them: reply code and enhanced status code. They stand here once more, so that the show
// notices when the program replies otherwise.
const (
	denied   = "554 5.7.1"
	talked   = "220, then 550 5.7.1" // denied, with on_denied talk
	blocked  = "421 4.7.1"
	tooMany  = "421 4.7.0" // at once, or in too short a time
	rejected = "554 5.5.1" // spoke before the greeting
	tempfail = "421 4.5.1" // the same with on_pregreet tempfail
)

const (
	// slack is how much longer than it should something may take on a machine that has other
	// things to do, and soon how long what should take no time.
	slack = 10 * time.Second
	soon  = 2 * time.Second
	// mtaTime is what an MTA may take to greet, if it is not ours: it may ask a DNS that does not answer. A
	// client waits so long (RFC 5321 §4.5.3.2.1).
	mtaTime = 5 * time.Minute
	// slowPace makes minutes of these on a slow machine. There only the verdict shows that a known
	// client need not wait.
	slowPace = 30
)

// scenes is the show, in order, and what the configuration in force lets expect of it. A client
// that need not wait sees something before those that must; a delay shorter than 2 s says nothing
// about a busy machine.
func (s *stage) scenes() []scene {
	c, served := s.config, s.served()
	waited := outcome{reply: greeted, clients: 1, least: c.GreetDelay, most: c.GreetDelay + s.patience}
	if !s.standIn {
		waited.most = c.GreetDelay + mtaTime
	}
	refused := func(reply string) outcome { return outcome{reply, 1, 0, s.unwaited()} }

	deny := one(unwanted, "is denied", (*client).wait, refused(denied), decide.Denied)
	if c.OnDenied == config.Talk {
		deny = one(unwanted, "is denied, hears so at RCPT", (*client).argue, refused(talked), decide.Denied)
	}
	show := []scene{
		one(patient, "waits, then delivers a mail", (*client).deliver, waited, decide.Pass),
		again(c, waited, served),
		one(slammer, "speaks before the greeting", (*client).slam, refused(tooSoon(c)), decide.Pregreet),
		leaving(c, s.patience),
		one(trusted, "is allowed, delivers a mail", (*client).deliver, served, decide.Allowed),
		deny,
		atOnce(c, waited),
		tooOften(c, served),
	}
	strikes, each := c.Block.Strikes, c.KindStrikes[config.Ehlo]
	if each == 0 {
		strikes = 0
	}
	for n := min(each, strikes); ; n = min(n+each, strikes) {
		does := fmt.Sprintf("speaks too soon, strike %d of %d", n, strikes)
		switch {
		case c.Block.Strikes == 0:
			does = "speaks too soon, block is off"
		case strikes == 0:
			does = "speaks too soon, is no strike"
		}
		show = append(show, one(striker, does, (*client).slam, refused(tooSoon(c)), decide.Pregreet))
		if n == strikes {
			break
		}
	}
	last := one(striker, "waits this time, but is blocked", (*client).wait, refused(blocked), decide.Blocked)
	if strikes == 0 {
		last = one(striker, "waits this time", (*client).wait, waited, decide.Pass)
	}
	show = append(append(show, last), dictionary(c, s.patience)...)
	if !s.standIn {
		show = append(show, relay())
	}
	if r, is := s.server.(*room); is {
		show = append(show, s.silence(r), theEnd())
	}
	return show
}

// unwaited is how long it may take until a client sees something that need not wait.
func (s *stage) unwaited() time.Duration { return max(s.config.GreetDelay, s.pace*soon) }

// served is what a client sees that need not wait.
func (s *stage) served() outcome {
	if s.standIn {
		return outcome{reply: greeted, clients: 1, most: s.unwaited()}
	}
	return outcome{reply: greeted, clients: 1, most: mtaTime}
}

// one is a scene of a single client.
func one(role byte, does string, behave func(*client) sight, sees outcome, v decide.Verdict) scene {
	who := addressOf(role)
	return scene{
		who: who, does: does,
		play: func(call call) []sight { return alone(who, call, behave) },
		want: expectation{outcomes: []outcome{sees}, verdicts: counts{v: 1}},
	}
}

// tooSoon is what an early talker sees.
func tooSoon(c *config.Config) string {
	switch c.OnPregreet {
	case config.Drop:
		return closed
	case config.Tempfail:
		return tempfail
	}
	return rejected
}

// again is the patient client's second visit.
func again(c *config.Config, waited, served outcome) scene {
	if c.Remember == 0 {
		return one(patient, "comes back (remember is 0)", (*client).wait, waited, decide.Pass)
	}
	return one(patient, "comes back, is known", (*client).wait, served, decide.Known)
}

// leaving hangs up well within the greet delay.
func leaving(c *config.Config, patience time.Duration) scene {
	after := min(c.GreetDelay/3, time.Second).Truncate(time.Millisecond)
	behave := func(c *client) sight { return c.leave(after) }
	sees := outcome{nothing, 1, after, after + patience}
	return one(hasty, fmt.Sprintf("hangs up after %v", after), behave, sees, decide.Hangup)
}

// atOnce is the crowd: as many as client_conns get in, exactly.
func atOnce(c *config.Config, waited outcome) scene {
	n := crowdConns(c)
	waited.clients = n
	return scene{
		who:  addressOf(crowd),
		does: fmt.Sprintf("%d at once, client_conns %d", crowdSize, n),
		play: func(call call) []sight { return many(crowdSize, 0, addressOf(crowd), call) },
		want: expectation{
			outcomes: []outcome{waited, {reply: tooMany, clients: crowdSize - n, most: waited.most}},
			verdicts: counts{decide.Pass: n, decide.Conns: crowdSize - n},
			// On a slow machine the first has waited before the last of them arrives.
			someKnown: c.Remember > 0,
		},
	}
}

// tooOften is the flood: as many as client_rate get in, exactly. They do not have to wait, but are not greeted
// before the next ones come if the MTA is slow: how many of them are known by then is a matter of chance.
func tooOften(c *config.Config, served outcome) scene {
	rate := floodRate(c)
	served.clients = rate.N
	return scene{
		who:  addressOf(flooder),
		does: fmt.Sprintf("%d in a row, client_rate %v", rate.N+beyond, rate),
		play: func(call call) []sight { return many(rate.N+beyond, 20*time.Millisecond, addressOf(flooder), call) },
		want: expectation{
			outcomes:  []outcome{served, {reply: tooMany, clients: beyond, most: served.most}},
			verdicts:  counts{decide.Pass: rate.N, decide.Rate: beyond},
			someKnown: c.Remember > 0,
		},
	}
}
