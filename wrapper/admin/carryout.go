package admin

import (
	"errors"
	"fmt"
	"net/netip"

	"sendwrap/wrapper"
	"sendwrap/wrapper/enforce"
)

// carryOut does what is to be done about a block that has begun, and says what that was. With now,
// sessions end at once, whatever the configuration says.
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

// tellEnd runs on_block for a network whose block has been ended, with those on all networks within
// it.
func (c *call) tellEnd(door *wrapper.Door, n netip.Prefix) error {
	program := door.Config.OnBlock
	if program == nil {
		return nil
	}
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door)}
	if !e.TellsEnd(n) {
		return nil
	}
	if err := e.Tell(enforce.Block{Network: n, Reason: "unblock"}); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "on_block: %s has been told of %v\n", program[0], n)
	return nil
}
