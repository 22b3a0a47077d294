package try

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// names are a dictionary: none of them has a mailbox.
var names = []string{
	"aaron", "abby", "adam", "agnes", "alan", "alice", "amanda", "andrew", "anna", "arthur",
	"barbara", "ben",
}

// validName has a mailbox.
const validName = "info"

// mostGuesses bounds how many guesses the show makes until it reaches a limit.
const mostGuesses = 10

// badRcpts is bad_rcpts for the guessers: the configuration's, if it is soon reached. One mistake
// must be allowed.
func badRcpts(c *config.Config) int {
	if n := c.BadRcpts; n > 1 && n <= mostGuesses {
		return n
	}
	return config.Default().BadRcpts
}

// badRcptsTotal is bad_rcpts_total likewise.
func badRcptsTotal(c *config.Config) rule.Rate {
	if r := c.BadRcptsTotal; r.N > 1 && r.N <= mostGuesses && r.Per >= time.Minute {
		return r
	}
	return config.Default().BadRcptsTotal
}

// guessDelay is the longest bad_rcpt_delay of the show.
const guessDelay = 50 * time.Millisecond

// guesserLines are the lines of sendwrap.conf of the clients that name invalid recipients. None of
// them waits for its greeting.
func guesserLines(c *config.Config) []string {
	line := func(role byte, bad int, total rule.Rate) string {
		return fmt.Sprintf("client %v client_conns=0 client_rate=0 greet_delay=0 bad_rcpts=%d "+
			"bad_rcpts_percent=0 bad_rcpts_total=%v max_rcpts=0 max_resets=0 bad_rcpt_delay=%v",
			addressOf(role), bad, total, min(c.BadRcptDelay, guessDelay))
	}
	return []string{
		line(mistaken, badRcpts(c), badRcptsTotal(c)),
		line(guesser, badRcpts(c), rule.Rate{}),
		line(spreader, 0, badRcptsTotal(c)),
	}
}

// dictionary is what the guard is for.
func dictionary(c *config.Config, patience time.Duration) []scene {
	served := outcome{reply: greeted, clients: 1, most: patience}
	show := []scene{
		single(mistaken, "mistypes a name, delivers", (*client).mistype, served, decide.Pass),
		guessInOneSession(c, served, fmt.Sprintf("guesses names, bad_rcpts %d", badRcpts(c))),
		guessInOneSession(c, served, "guesses again, second strike"),
		comeBack(c, guesser, served),
		guessOneEach(c, served),
		comeBack(c, spreader, served),
	}
	if firstIsStrike := c.Remember > 0 && c.Block.Strikes > 1; !firstIsStrike {
		show = slices.Delete(show, 2, 3) // the first offense began a block, or none can
	}
	for i := range show {
		show[i].guarded = true
	}
	return show
}

// guessInOneSession is an attacker that tries the dictionary in one session. After the names that
// reach the limit it tries a valid one, which it must not learn.
func guessInOneSession(c *config.Config, served outcome, does string) scene {
	n := badRcpts(c)
	list := append(names[:n:n], validName)
	list = append(list, names[n:n+2]...)
	served.reply = endedAt(n)
	sc := single(guesser, does, func(c *client) sight { return c.guess(list) }, served, decide.Pass)
	sc.want.verdicts[decide.BadRcpts] = 1
	return sc
}

// guessOneEach is an attacker that opens a connection for each name.
func guessOneEach(c *config.Config, served outcome) scene {
	total, from := badRcptsTotal(c), addressOf(spreader)
	early := served
	early.reply, early.clients = unknown, total.N-1
	served.reply = endedAt(1)
	return scene{
		who: from.String(), does: fmt.Sprintf("1 each, bad_rcpts_total %v", total),
		play: func(connect dialFunc) (sights []sight) {
			for i := range total.N {
				guess := func(c *client) sight { return c.guess(names[i : i+1]) }
				sights = append(sights, runOne(from, connect, guess)...)
			}
			return sights
		},
		want: expectation{
			outcomes:  []outcome{early, served},
			verdicts:  counts{decide.Pass: total.N, decide.BadRcpts: 1},
			someKnown: c.Remember > 0,
		},
	}
}

// comeBack is an attacker that connects again after its session was ended.
func comeBack(c *config.Config, role byte, served outcome) scene {
	if c.Block.Strikes > 0 {
		served.reply = blocked
		return single(role, "comes back, but is blocked", (*client).wait, served, decide.Blocked)
	}
	sc := single(role, "comes back, block is off", (*client).wait, served, decide.Pass)
	sc.want.someKnown = c.Remember > 0
	return sc
}

// unknown is the reply to a wrong name.
const unknown = "550 5.1.1"

// endedAt is what a guesser sees whose session is ended.
func endedAt(guesses int, found ...string) string {
	return fmt.Sprintf("ended at guess %d, learned %s", guesses, listed(found))
}

func listed(found []string) string {
	if len(found) == 0 {
		return "nothing"
	}
	return strings.Join(found, " ")
}

// guess tries names, two in an envelope and RSET between them, as attackers do that know of limits
// for each MAIL. It sees how the session ends; of a single name, the reply.
func (c *client) guess(list []string) sight {
	s := c.greeting()
	if code(s.reply) != greeted {
		return s
	}
	commands := []string{"EHLO try.example"}
	for i, name := range list {
		switch {
		case i == 0:
			commands = append(commands, "MAIL FROM:<guesser@try.example>")
		case i%2 == 0:
			commands = append(commands, "RSET", "MAIL FROM:<guesser@try.example>")
		}
		commands = append(commands, "RCPT TO:<"+name+">")
	}
	s.reply, s.err = c.guessWith(append(commands, "QUIT"))
	s.took = time.Since(c.start)
	return s
}

// guessWith sends the commands until the session is ended, and returns what became of the guesses
// among them.
func (c *client) guessWith(commands []string) (outcome string, err error) {
	var replies, found []string
	for _, command := range commands {
		reply, ended, err := c.attempt(command)
		name, guess := strings.CutPrefix(command, "RCPT TO:")
		switch {
		case err != nil:
			return nothing, fmt.Errorf("%s: %w", command, err)
		case ended:
			return endedAt(len(replies), found...), nil
		case guess:
			if replies = append(replies, reply); strings.HasPrefix(reply, "2") {
				found = append(found, strings.Trim(name, "<>"))
			}
		case !strings.HasPrefix(reply, "2"):
			return reply, fmt.Errorf("%s: replied %q; want 2", command, reply)
		}
	}
	if len(replies) == 1 {
		return replies[0], nil
	}
	return fmt.Sprintf("%d guesses, learned %s", len(replies), listed(found)), nil
}

// attempt sends a command and returns the reply, or that the session is over.
func (c *client) attempt(command string) (reply string, ended bool, err error) {
	if err = c.send(command); err == nil {
		reply, err = c.reply()
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "", true, nil
	}
	return reply, strings.HasPrefix(reply, "421"), err
}

// mistype delivers a message to two recipients, of which one is unknown.
func (c *client) mistype() sight {
	return c.deliverTo(step{"RCPT TO:<postmastre>", "550"}, step{toPostmaster, "250"})
}
