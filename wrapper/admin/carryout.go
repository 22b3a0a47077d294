package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"sendwrap/wrapper"
	"sendwrap/wrapper/enforce"
)

// carryOut does what is to be done about a block that has begun, and says what that was. With now, sessions end at once, whatever the
// configuration says.
func (c *call) carryOut(door *wrapper.Door, b enforce.Block, now bool) error {
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door), Now: now}
	d := e.CarryOut(b)
	say := func(format string, args ...any) {
		fmt.Fprintf(c.stdout, "%v: %s\n", b.Network, fmt.Sprintf(format, args...))
	}
	if d.Sessions == "" {
		say("%s ended", plural(d.Ended, "session"))
	} else {
		say("live sessions go on: %s", d.Sessions)
	}
	if d.Allowed > 0 {
		say("%s of allowed clients left alone", plural(d.Allowed, "session"))
	}
	if d.InRoom > 0 {
		say("%s in a room left to it", plural(d.InRoom, "client"))
	}
	program := door.Config.OnBlock
	switch {
	case program == nil:
	case d.OnBlock != "":
		say("on_block is not run: %s", d.OnBlock)
	case d.Told:
		say("on_block: %s has been told", program[0])
	}
	if n := len(d.Dropped); n > 0 {
		say("for it the oldest %s had to go: max_entries is %d", plural(n, "block"), door.Config.Block.MaxEntries)
	}
	return errors.Join(d.Failed...)
}

// tellers is how many networks are told of at a time.
const tellers = 4

// tellEnd runs on_block for each network whose block has been ended.
func (c *call) tellEnd(door *wrapper.Door, freed []netip.Prefix) error {
	program := door.Config.OnBlock
	if program == nil {
		return nil
	}
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door)}
	networks := make(chan netip.Prefix)
	var all sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for range min(tellers, len(freed)) {
		all.Go(func() {
			for n := range networks {
				if err := e.Tell(enforce.Block{Network: n, Reason: "unblock"}); err != nil {
					mu.Lock()
					failed = append(failed, err)
					mu.Unlock()
				}
			}
		})
	}
	for _, n := range freed {
		networks <- n
	}
	close(networks)
	all.Wait()
	if n := len(freed) - len(failed); n > 0 {
		fmt.Fprintf(c.stdout, "on_block: %s has been told of %s\n", program[0], plural(n, "network"))
	}
	if len(failed) > 1 {
		return fmt.Errorf("%w (and %d more)", failed[0], len(failed)-1)
	}
	return errors.Join(failed...)
}
