package try

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/policy"
)

// builtIn is the configuration of a show that was given none: the defaults, with short delays and
// without an MTA.
func builtIn() *config.Config {
	c := config.Default()
	c.GreetDelay, c.StressDelay = 3*time.Second, time.Second
	c.MTA = nil
	return c
}

// The least with which the scenes work.
const (
	leastDelay    = time.Second    // in which a client can be early, or leave
	leastMemory   = time.Minute    // of clients, strikes and blocks, from one scene to the next
	leastSessions = 2 * crowdSize  // far from stress
	leastV4       = 16             // the bits in which the clients' addresses differ
	leastWaiting  = 2 * crowdWaits // in a room
	leastSpawn    = 2 * crowdSize
	ledgerClients = 1024 // records

	guardSocket = "guard.sock"
)

// adapt returns the configuration as the show uses it. Ledger, log, mta_stderr, mode, guard_listen
// and networks are always the show's own, with files in dir. What else cannot be shown as given is
// replaced; changes are the directives that replace it.
func adapt(given *config.Config, dir string, inRoom bool) (c *config.Config, changes []string) {
	shown := *given
	c = &shown
	c.Networks = nil
	c.Ledger = policy.Ledger{Path: filepath.Join(dir, "ledger"), Clients: ledgerClients}
	// With mta_stderr auto a room keeps a socket to the process that logs it, and openSockets would
	// count that as a client's.
	c.Log, c.MTAStderr, c.Mode = policy.None, policy.ToDevNull, policy.Enforce
	c.Hostname = "" // the output leaves out the machine's own name
	c.GuardListen = policy.Listen{Network: "unix", Address: filepath.Join(dir, guardSocket)}

	raise := func(name string, d *time.Duration, least time.Duration) {
		if *d < least {
			*d = least
			changes = append(changes, name+" "+rule.FormatDuration(least))
		}
	}
	raise("greet_delay", &c.GreetDelay, leastDelay)
	if c.Remember > 0 {
		raise("remember", &c.Remember, leastMemory)
	}
	if c.Block.Strikes > 0 {
		raise("block within", &c.Block.Within, leastMemory)
		raise("block for", &c.Block.For, leastMemory)
		c.Block.Max = max(c.Block.Max, c.Block.For)
	}
	atLeast := func(name string, n *int, least int) {
		if *n < least {
			*n = least
			changes = append(changes, fmt.Sprint(name, least))
		}
	}
	atLeast("max_sessions ", &c.MaxSessions, leastSessions)
	atLeast("max_waiting ", &c.MaxWaiting, leastSessions)
	if inRoom {
		atLeast("max_waiting room=", &c.RoomWaiting, leastWaiting)
		atLeast("spawn_rate ", &c.SpawnRate, leastSpawn)
		if c.RoomIdle > 0 { // only SIGTERM ends the room
			c.RoomIdle = 0
			changes = append(changes, "room_idle 0")
		}
	}
	if c.CountBy.V4 < leastV4 {
		c.CountBy.V4 = leastV4
		changes = append(changes, "count_by "+c.CountBy.String())
	}
	if c.RefuseLoad > 0 { // the load of the machine must not matter
		c.RefuseLoad = 0
		changes = append(changes, "refuse_load 0")
	}
	if c.OnBlock != nil { // no firewall must learn of these blocks
		c.OnBlock = nil
		changes = append(changes, "on_block off")
	}
	if c.Transcript.Dir != "" {
		c.Transcript = policy.Transcript{}
		changes = append(changes, "transcript off")
	}
	return c, changes
}

// writeConf writes the configuration, and the lines of networks, to a file that only we can read.
func writeConf(path string, c *config.Config, networks []string) error {
	var text bytes.Buffer
	if err := c.Write(&text); err != nil {
		return err
	}
	for _, line := range networks {
		text.WriteString(line + "\n")
	}
	return os.WriteFile(path, text.Bytes(), 0o600)
}
