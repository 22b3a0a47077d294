package admin

import (
	"errors"
	"fmt"
	"net/netip"

	"sendwrap/wrapper/enforce"
)

// carryOut carries out a block that has begun, and prints the outcome. With now, sessions end at
// once, whatever the configuration says.
func (c *call) carryOut(door *configured, b enforce.Block, now bool) error {
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door), Now: now}
	o := e.CarryOut(b)
	say := func(format string, args ...any) {
		fmt.Fprintf(c.stdout, "%v: %s\n", b.Network, fmt.Sprintf(format, args...))
	}
	if o.Sessions == "" {
		say("%s ended", plural(o.Ended, "session"))
	} else {
		say("live sessions go on: %s", o.Sessions)
	}
	if o.Allowed > 0 {
		say("%s of allowed clients left alone", plural(o.Allowed, "session"))
	}
	if o.InRoom > 0 {
		say("%s in the room, which refuses them itself", plural(o.InRoom, "client"))
	}
	program := door.Config.OnBlock
	switch {
	case program == nil:
	case o.OnBlock != "":
		say("on_block was not run: %s", o.OnBlock)
	case o.HookRan:
		say("on_block: %s was run", program[0])
	}
	if n := len(o.Dropped); n > 0 {
		say("dropped the oldest %s (max_entries=%d)",
			plural(n, "block"), door.Config.Block.MaxEntries)
	}
	return errors.Join(o.Failed...)
}

// runAtEnd runs on_block for a network on which all blocks have been ended.
func (c *call) runAtEnd(door *configured, n netip.Prefix) error {
	program := door.Config.OnBlock
	if program == nil {
		return nil
	}
	e := enforce.Enforcer{Config: door.Config, Log: c.logTo(door)}
	if !e.RunsHookAtEnd(n) {
		return nil
	}
	if err := e.RunHook(enforce.Block{Network: n, Reason: "unblock"}); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "on_block: %s was run for %v\n", program[0], n)
	return nil
}
