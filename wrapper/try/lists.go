package try

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sendwrap/wrapper/config"
	"sendwrap/wrapper/decide"
	"sendwrap/wrapper/dnsbl"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/policy"
)

// The lists of the show. Its nameserver answers for them.
const (
	badZone   = "bad.try.example"
	goodZone  = "good.try.example"
	lyingZone = "lies.try.example"
)

const (
	// listDelay is the greet delay of the clients that DNS spares the wait.
	listDelay = 4 * time.Minute

	// lieDelay is at least that of the slandered client on a slow machine: DNS has to answer in it.
	lieDelay = 5 * time.Second
)

// useLists sets the lists of the show in place of others: no other DNS is to be asked about its
// clients, and no key is to get into its configuration.
func (s *stage) useLists() {
	c := s.config
	c.Resolvers = append(c.Resolvers[:0:0], s.nameserver.at)
	c.DNSBLThreshold, c.DNSBLWelcome = 2, -2
	c.Lists = nil
	for _, l := range []struct {
		zone   string
		weight int
	}{{badZone, 2}, {goodZone, -2}, {lyingZone, 2}} {
		c.Lists = append(c.Lists, dnsbl.List{
			Zone: l.zone, Name: l.zone,
			Sites: []dnsbl.Site{{Filter: "127.0.0.2", Weight: l.weight}},
		})
	}
	c.Lists[2].Sites[0].Filter = "" // whatever it says, as a careless line has it
}

// listLines are the lines of sendwrap.conf for the clients of these scenes.
func (s *stage) listLines() (lines []string) {
	line := func(role byte, delay time.Duration) {
		lines = append(lines, fmt.Sprintf("client %v client_conns=0 client_rate=0 greet_delay=%v",
			addressOf(role), delay))
	}
	line(onList, listDelay)
	line(praised, listDelay)
	line(slandered, s.slanderedDelay())
	return lines
}

func (s *stage) slanderedDelay() time.Duration {
	if s.options.Slow {
		return max(s.config.GreetDelay, lieDelay)
	}
	return s.config.GreetDelay
}

// lists is what DNS is asked for.
func (s *stage) lists(served outcome, waited outcome) []scene {
	c := s.config
	waited.most += s.slanderedDelay() - waited.least
	waited.least = s.slanderedDelay()
	served.most = max(served.most, s.promptLimit())
	refused := outcome{listedReply(c), 1, 0, s.promptLimit()}
	return []scene{
		s.slanderedClient(waited), // first: a list that is set aside is not asked
		s.listedClient(refused),
		single(praised, "is praised by a list", (*client).wait, served, decide.DNSWL),
	}
}

// listedReply is what a client sees that is on a list.
func listedReply(c *config.Config) string {
	switch c.OnListed {
	case policy.Drop:
		return closed
	case policy.Tempfail:
		return blocked
	}
	return denied
}

// listedClient is refused, and reads which list has it.
func (s *stage) listedClient(sees outcome) scene {
	var reads string
	sc := single(onList, "is on a list", (*client).wait, sees, decide.DNSBL)
	play := sc.play
	sc.play = func(connect dialFunc) []sight {
		sights := play(connect)
		_, reads, _ = strings.Cut(sights[0].reply, "] ")
		if sees.reply != closed && code(sights[0].reply) == sees.reply &&
			!strings.Contains(reads, badZone) {
			sights[0].err = errors.New("the reply does not name the list")
		}
		return sights
	}
	sc.note = func() string { return reads }
	return sc
}

// slanderedClient is on a list that answers all questions with an error code: it is served, and the
// list is set aside.
func (s *stage) slanderedClient(sees outcome) scene {
	var why string
	sc := single(slandered, "is on a list that lies, waits", (*client).wait, sees, decide.Pass)
	play := sc.play
	sc.play = func(connect dialFunc) []sight {
		sights := play(connect)
		all, err := s.ledger.Lists(ledger.Now(), []string{lyingZone})
		switch {
		case sights[0].err != nil:
		case err != nil:
			sights[0].err = err
		case all[0].Aside <= 0:
			sights[0].err = errors.New("the list is not set aside")
		default:
			why = all[0].Why
		}
		return sights
	}
	sc.note = func() string { return "the list is set aside: " + why }
	return sc
}
