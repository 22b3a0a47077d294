package try

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/policy"
)

// scene is one line of the show: a client, what it does, and what it must see.
type scene struct {
	who  string
	does string
	play func(connect dialFunc) []sight
	want expectation
	note func() string // printed below if all went well; may be nil

	guarded bool // the MTA asks the guard

	// special is played instead of play; nil for most scenes.
	special func(context.Context) (result, error)
}

// dialFunc connects a client that comes from an address.
type dialFunc func(from netip.Addr) (*client, error)

// Refusals as sendwrap(8) has them: reply code and enhanced status code. They are repeated here so
// that the show notices when the program replies otherwise.
const (
	denied   = "554 5.7.1"
	talked   = "220, then 550 5.7.1" // denied, with on_denied talk
	blocked  = "421 4.7.1"
	tooMany  = "421 4.7.0" // at once, or in too short a time
	rejected = "554 5.5.1" // spoke before the greeting
	tempfail = "421 4.5.1" // the same with on_pregreet tempfail
)

const (
	// slack is how much longer than it should something may take on a busy machine.
	slack = 10 * time.Second

	// promptly is how long something may take that should take no time.
	promptly = 2 * time.Second

	// mtaTime is how long a real MTA may take to greet: it may ask a DNS that does not answer. A
	// client waits that long (RFC 5321 §4.5.3.2.1).
	mtaTime = 5 * time.Minute

	// slowFactor makes minutes of these on a slow machine. There only the verdict shows that a
	// known client need not wait.
	slowFactor = 30
)

// scenes are the show, in order, with what each client must see under the configuration. A client
// that need not wait must see something sooner than one that must; with a delay below 2 s this
// comparison is left out, since a busy machine may take that long.
func (s *stage) scenes() []scene {
	c, served := s.config, s.servedPromptly()
	greetTime := s.patience
	if !s.standIn {
		greetTime = mtaTime
	}
	waited := outcome{greeted, 1, c.GreetDelay, c.GreetDelay + greetTime}
	refused := func(reply string) outcome { return outcome{reply, 1, 0, s.promptLimit()} }

	deny := single(unwanted, "is denied", (*client).wait, refused(denied), decide.Denied)
	if c.OnDenied == policy.Talk {
		deny = single(unwanted, "is denied, refused at RCPT", (*client).argue, refused(talked),
			decide.Denied)
	}
	show := []scene{
		single(patient, "waits, then delivers a message", (*client).deliver, waited, decide.Pass),
		secondVisit(c, waited, served),
		single(slammer, "speaks before the greeting", (*client).slam, refused(earlyReply(c)),
			decide.Pregreet),
		hangup(c, s.patience),
		single(trusted, "is allowed, delivers a message", (*client).deliver, served,
			decide.Allowed),
		deny,
		tooManyAtOnce(c, waited),
		tooManyInARow(c, served),
	}
	show = append(show, strikes(c, refused, waited)...)
	show = append(show, s.lists(served, waited)...)
	show = append(show, dictionary(c, s.patience)...)
	if !s.standIn {
		show = append(show, s.relay())
	}
	if r, ok := s.server.(*room); ok {
		show = append(show, s.waitingCrowd(r), s.roomEnd(r))
	}
	return show
}

// promptLimit is how long a client may take to see something if it need not wait.
func (s *stage) promptLimit() time.Duration {
	return max(s.config.GreetDelay, s.slowdown*promptly)
}

// servedPromptly is what a client sees that need not wait.
func (s *stage) servedPromptly() outcome {
	if s.standIn {
		return outcome{reply: greeted, clients: 1, most: s.promptLimit()}
	}
	return outcome{reply: greeted, clients: 1, most: mtaTime}
}

// single is a scene of one client.
func single(role byte, does string, behave func(*client) sight, sees outcome,
	v decide.Verdict) scene {
	from := addressOf(role)
	return scene{
		who: from.String(), does: does,
		play: func(connect dialFunc) []sight { return runOne(from, connect, behave) },
		want: expectation{outcomes: []outcome{sees}, verdicts: counts{v: 1}},
	}
}

// earlyReply is what a client sees that speaks before the greeting.
func earlyReply(c *config.Config) string {
	switch c.OnPregreet {
	case policy.Drop:
		return closed
	case policy.Tempfail:
		return tempfail
	}
	return rejected
}

// secondVisit is the patient client's.
func secondVisit(c *config.Config, waited, served outcome) scene {
	if c.Remember == 0 {
		return single(patient, "comes back (remember is 0)", (*client).wait, waited, decide.Pass)
	}
	return single(patient, "comes back, is known", (*client).wait, served, decide.Known)
}

// hangup leaves well within the greet delay.
func hangup(c *config.Config, patience time.Duration) scene {
	after := min(c.GreetDelay/3, time.Second).Truncate(time.Millisecond)
	behave := func(c *client) sight { return c.leave(after) }
	sees := outcome{nothing, 1, after, after + patience}
	return single(hasty, fmt.Sprintf("hangs up after %v", after), behave, sees, decide.Hangup)
}

// tooManyAtOnce is the crowd: exactly client_conns of it are served.
func tooManyAtOnce(c *config.Config, waited outcome) scene {
	n, from := crowdConns(c), addressOf(crowd)
	waited.clients = n
	return scene{
		who:  from.String(),
		does: fmt.Sprintf("%d at once, client_conns %d", crowdSize, n),
		play: func(connect dialFunc) []sight { return runMany(crowdSize, 0, from, connect) },
		want: expectation{
			outcomes: []outcome{waited, {tooMany, crowdSize - n, 0, waited.most}},
			verdicts: counts{decide.Pass: n, decide.Conns: crowdSize - n},
			// On a slow machine the first has waited before the last of them arrives.
			someKnown: c.Remember > 0,
		},
	}
}

// tooManyInARow is the flood: exactly client_rate of it are served. None of its clients has to
// wait. How many of them are known depends on how fast the MTA greets those before.
func tooManyInARow(c *config.Config, served outcome) scene {
	rate, from := floodRate(c), addressOf(flooder)
	n := rate.N + floodExcess
	served.clients = rate.N
	return scene{
		who:  from.String(),
		does: fmt.Sprintf("%d in a row, client_rate %v", n, rate),
		play: func(connect dialFunc) []sight {
			return runMany(n, 20*time.Millisecond, from, connect)
		},
		want: expectation{
			outcomes:  []outcome{served, {tooMany, floodExcess, 0, served.most}},
			verdicts:  counts{decide.Pass: rate.N, decide.Rate: floodExcess},
			someKnown: c.Remember > 0,
		},
	}
}

// strikes is a client that speaks too soon until it is blocked, and then waits.
func strikes(c *config.Config, refused func(string) outcome, waited outcome) (list []scene) {
	most, each := c.Block.Strikes, c.KindStrikes[policy.Ehlo]
	if each == 0 {
		most = 0
	}
	for n := min(each, most); ; n = min(n+each, most) {
		does := fmt.Sprintf("speaks too soon, strike %d of %d", n, most)
		switch {
		case c.Block.Strikes == 0:
			does = "speaks too soon, block is off"
		case most == 0:
			does = "speaks too soon, no strike"
		}
		list = append(list,
			single(striker, does, (*client).slam, refused(earlyReply(c)), decide.Pregreet))
		if n == most {
			break
		}
	}
	if most == 0 {
		return append(list, single(striker, "waits this time", (*client).wait, waited, decide.Pass))
	}
	return append(list, single(striker, "waits this time, but is blocked", (*client).wait,
		refused(blocked), decide.Blocked))
}
