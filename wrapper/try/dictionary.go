package try

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"time"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
)

// names is a dictionary: none of them has a mailbox.
var names = []string{"aaron", "abby", "adam", "agnes", "alan", "alice", "amanda", "andrew", "anna", "arthur", "barbara", "ben"}

// somebody has a mailbox.
const somebody = "info"

// mostGuesses bounds what the show guesses until it is enough.
const mostGuesses = 10

// badRcpts is bad_rcpts for those who guess: the configuration's, if it is soon reached. One
// mistake must be free.
func badRcpts(c *config.Config) int {
	if n := c.BadRcpts; n > 1 && n <= mostGuesses {
		return n
	}
	return config.Default().BadRcpts
}

// badRcptsTotal is bad_rcpts_total likewise.
func badRcptsTotal(c *config.Config) allowlist.Rate {
	if r := c.BadRcptsTotal; r.N > 1 && r.N <= mostGuesses && r.Per >= time.Minute {
		return r
	}
	return config.Default().BadRcptsTotal
}

// guessDelay is bad_rcpt_delay: long enough to be there.
const guessDelay = 50 * time.Millisecond

// guessers are the lines of sendwrap.conf of those who name recipients that there are not. None of
// them has to wait at the door.
func guessers(c *config.Config) []string {
	line := func(role byte, bad int, total allowlist.Rate) string {
		return fmt.Sprintf("client %v client_conns=0 client_rate=0 greet_delay=0 bad_rcpts=%d bad_rcpts_percent=0 bad_rcpts_total=%v max_rcpts=0 max_resets=0 bad_rcpt_delay=%v",
			addressOf(role), bad, total, min(c.BadRcptDelay, guessDelay))
	}
	return []string{
		line(mistaken, badRcpts(c), badRcptsTotal(c)),
		line(guesser, badRcpts(c), allowlist.Rate{}),
		line(spreader, 0, badRcptsTotal(c)),
	}
}

// dictionary is what the guard is for.
func dictionary(c *config.Config, patience time.Duration) []scene {
	served := outcome{reply: greeted, clients: 1, most: patience}
	show := []scene{
		one(mistaken, "mistypes a name, delivers", (*client).mistype, served, decide.Pass),
		guessing(c, served, fmt.Sprintf("guesses names, bad_rcpts %d", badRcpts(c))),
		guessing(c, served, "does so again: a strike was the first"),
		returning(c, guesser, served),
		spreading(c, served),
		returning(c, spreader, served),
	}
	if !excused(c) {
		show = slices.Delete(show, 2, 3)
	}
	for i := range show {
		show[i].guarded = true
	}
	return show
}

// excused says whether the first offence of a guesser is no more than a strike: the door knows it,
// since it has waited.
func excused(c *config.Config) bool {
	return c.Remember > 0 && c.Block.Strikes > 1
}

// guessing is an attacker that tries the dictionary in one session. Behind as many names as are too
// many stands one that he would be glad to learn of.
func guessing(c *config.Config, served outcome, does string) scene {
	n := badRcpts(c)
	list := append(names[:n:n], somebody)
	list = append(list, names[n:n+2]...)
	served.reply = endedAt(n)
	sc := one(guesser, does, func(c *client) sight { return c.guess(list) }, served, decide.Pass)
	sc.want.verdicts[decide.BadRcpts] = 1
	return sc
}

// spreading is one that has a connection for each name.
func spreading(c *config.Config, served outcome) scene {
	total := badRcptsTotal(c)
	said := served
	said.reply, said.clients = unknown, total.N-1
	served.reply = endedAt(1)
	return scene{
		who: addressOf(spreader), does: fmt.Sprintf("1 each, bad_rcpts_total %v", total),
		play: func(call call) (sights []sight) {
			for i := range total.N {
				sights = append(sights, alone(addressOf(spreader), call, func(c *client) sight { return c.guess(names[i : i+1]) })...)
			}
			return sights
		},
		want: expectation{
			outcomes:  []outcome{said, served},
			verdicts:  counts{decide.Pass: total.N, decide.BadRcpts: 1},
			someKnown: c.Remember > 0,
		},
	}
}

// returning is an attacker that comes back after his session was ended.
func returning(c *config.Config, role byte, served outcome) scene {
	if c.Block.Strikes > 0 {
		served.reply = blocked
		return one(role, "comes back, but is blocked", (*client).wait, served, decide.Blocked)
	}
	sc := one(role, "comes back, block is off", (*client).wait, served, decide.Pass)
	sc.want.someKnown = c.Remember > 0
	return sc
}

// unknown is what one is told who has guessed wrong.
const unknown = "550 5.1.1"

// endedAt is what one who guesses sees when he is stopped.
func endedAt(guesses int, found ...string) string {
	return fmt.Sprintf("ended at guess %d, learned %s", guesses, learned(found))
}

func learned(found []string) string {
	if len(found) == 0 {
		return "nothing"
	}
	return strings.Join(found, " ")
}

// guess tries names, two in an envelope and RSET between, as those do who know of limits that begin
// anew at each MAIL. It sees what has become of it in the end; of a single name, the reply.
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
	s.reply, s.err = c.hear(append(commands, "QUIT"))
	s.took = time.Since(c.came)
	return s
}

// hear says the commands until the session is ended, and tells what became of the guesses among
// them.
func (c *client) hear(commands []string) (outcome string, err error) {
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
	return fmt.Sprintf("%d guesses, learned %s", len(replies), learned(found)), nil
}

// attempt says a command and tells the reply, or that the session is over.
func (c *client) attempt(command string) (reply string, ended bool, err error) {
	if err = c.say(command); err == nil {
		reply, err = c.reply()
	}
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "", true, nil
	}
	return reply, strings.HasPrefix(reply, "421"), err
}

// mistype delivers a mail to two recipients, of which one is not there.
func (c *client) mistype() sight {
	return c.send(step{"RCPT TO:<postmastre>", "550"}, step{toPostmaster, "250"})
}
