package try

import (
	"fmt"
	"net/netip"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
)

// The clients of the show. Each has an address of its own on loopback, 127.N.0.1, so that each is
// counted for itself.
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
	onList
	praised
	slandered
)

func addressOf(role byte) netip.Addr { return netip.AddrFrom4([4]byte{127, role, 0, 1}) }

// crowdSize is how many clients of the crowd connect at once.
const crowdSize = 20

// crowdConns is client_conns for the crowd: the configuration's, if the crowd is large enough to
// exceed it.
func crowdConns(c *config.Config) int {
	if c.ClientConns > 0 && c.ClientConns < crowdSize {
		return c.ClientConns
	}
	return 5
}

// floodRate is client_rate for the flooder: the configuration's, if a short flood exceeds it.
func floodRate(c *config.Config) rule.Rate {
	if r := c.ClientRate; r.N > 0 && r.N <= 20 && r.Per >= time.Minute {
		return r
	}
	return rule.Rate{N: 10, Per: time.Minute}
}

// floodExcess is by how many connections the flooder exceeds its rate.
const floodExcess = 5

// networks are the lines of sendwrap.conf that make each client what it is. A limit that is not
// part of its role is off.
func networks(c *config.Config, inRoom bool) []string {
	const unlimited = "client_conns=0 client_rate=0 dnsbl=off"
	lines := []string{
		fmt.Sprintf("allow %v %v", addressOf(trusted), foreignClient),
		fmt.Sprintf("deny %v", addressOf(unwanted)),
		fmt.Sprintf("client %v client_conns=%d client_rate=0 dnsbl=off",
			addressOf(crowd), crowdConns(c)),
		fmt.Sprintf("client %v client_conns=0 client_rate=%v greet_delay=0",
			addressOf(flooder), floodRate(c)),
	}
	for _, role := range []byte{patient, slammer, hasty, striker} {
		lines = append(lines, fmt.Sprintf("client %v %s", addressOf(role), unlimited))
	}
	if inRoom {
		lines = append(lines, fmt.Sprintf("client %v %s greet_delay=%v",
			addressOf(quiet), unlimited, crowdDelay))
	}
	return append(lines, guesserLines(c)...)
}
