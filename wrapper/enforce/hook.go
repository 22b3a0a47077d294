package enforce

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"sendwrap/exec"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/maillog"
)

const (
	maxHooks = 4 // on_block at a time, over all processes
	maxEnds  = 1 // an end takes the first of their slots alone, so that no beginning waits

	hookTime     = 10 * time.Second // for each; then it is killed
	slotPatience = 5 * time.Second  // for a slot
	endPatience  = 30 * time.Second // likewise for an end, which waits for what begins
)

// Tell runs on_block for a block that has begun, unless the network is spared. With For 0 it runs
// on_block for all blocks that an administrator has ended on a network and within it. It returns
// when the program has ended, for a block that has begun within 15 s.
//
// The last call of on_block agrees with the ledger. It does not run for a block that ends before it
// gets a slot. It runs for the end of a block that ends while it runs. After an end it runs for the
// blocks that still run within that network. The error names the program; the log has it, too.
func (e *Enforcer) Tell(b Block) error {
	if b.For > 0 && Spare(e.Config, b.Network).OnBlock != "" || !e.TellsEnd(b.Network) {
		return nil
	}
	began := time.Now()
	err := e.tell(b)
	if err != nil {
		line := maillog.NewLine("ONBLOCK").Str("network", b.Network.String())
		e.warn(line.Dur("after", time.Since(began)).Quote("error", err.Error()).String())
		return fmt.Errorf("on_block: %w", err)
	}
	return nil
}

// TellsEnd says whether on_block runs when a block of the network has been ended. It does so for
// networks that are spared when a block begins, too: a firewall may have them from before. It never
// does for loopback.
func (e *Enforcer) TellsEnd(network netip.Prefix) bool {
	return e.Config.OnBlock != nil && !onlyLoopback(network)
}

func (e *Enforcer) tell(b Block) error {
	l, err := e.open()
	if err != nil {
		return err
	}
	defer l.Close()
	if b.For > 0 {
		return e.tellBegin(l, b)
	}
	if err := e.tellEnd(b); err != nil {
		return err
	}
	return e.tellRunning(l, b.Network)
}

// tellBegin runs on_block for what is left of a block once it has a slot.
func (e *Enforcer) tellBegin(l *ledger.Ledger, b Block) error {
	began := time.Now()
	release, err := e.takeSlot(maxHooks, slotPatience)
	if err != nil {
		return err
	}
	defer release()
	left := b.For - time.Since(began)
	if left <= 0 || lifted(l, b.Network) {
		return nil
	}
	err = e.run(b.Network, int((left+time.Second-1)/time.Second), b.Reason)
	if time.Since(began) < b.For && lifted(l, b.Network) { // another may have run it for the end before
		if wrong := e.run(b.Network, 0, b.Reason); err == nil {
			err = wrong
		}
	}
	return err
}

func (e *Enforcer) tellEnd(b Block) error {
	release, err := e.takeSlot(maxEnds, endPatience)
	if err != nil {
		return err
	}
	defer release()
	return e.run(b.Network, 0, b.Reason)
}

// tellRunning runs on_block for the blocks on networks within this one: a firewall has just removed
// them all.
func (e *Enforcer) tellRunning(l *ledger.Ledger, within netip.Prefix) error {
	all, err := l.Blocks(ledger.Now())
	if err != nil {
		return fmt.Errorf("%s was not run for the blocks within %v: %w", e.Config.OnBlock[0], within, err)
	}
	var failed error
	for _, b := range all {
		if b.Network.Bits() >= within.Bits() && within.Contains(b.Network.Addr()) {
			if err := e.Tell(Block{b.Network, b.Left, b.Reason}); failed == nil {
				failed = err
			}
		}
	}
	return failed
}

// takeSlot waits until on_block may be run, as one of so many.
func (e *Enforcer) takeSlot(among int, patience time.Duration) (release func(), err error) {
	if e.patience != 0 {
		patience = e.patience
	}
	release, err = takeSlot(e.Config.Ledger.Path, among, patience)
	program := e.Config.OnBlock[0]
	if errors.Is(err, errNoSlot) {
		return nil, fmt.Errorf("%s was not run: %d of them ran for more than %v",
			program, among, patience)
	} else if err != nil {
		return nil, fmt.Errorf("%s was not run: %w", program, err)
	}
	return release, nil
}

// run runs on_block.
func (e *Enforcer) run(network netip.Prefix, seconds int, reason string) error {
	hooks := e.hooks
	if hooks == nil {
		var err error
		if hooks, err = exec.NewHooks(nil); err != nil {
			return err
		}
	}
	argv, environ := hookArgs(e.Config.OnBlock, network, seconds, Word(reason))
	return hooks.Run(argv, environ, hookTime)
}

// lifted says whether the network's block has ended.
func lifted(l *ledger.Ledger, network netip.Prefix) (lifted bool) {
	_ = l.Do(ledger.Now(), func(t *ledger.Tx) {
		b, runs := t.BlockOf(network.Addr(), network)
		lifted = !runs || b.Network.Bits() > network.Bits() // of its first address alone
	})
	return lifted // false if the ledger could not be asked
}

// hookArgs are the arguments and the environment of on_block.
func hookArgs(
	program []string, network netip.Prefix, seconds int, reason string,
) (argv, environ []string) {
	family := [...]string{"ipv4", "ipv6"}[familyOf(network.Addr())]
	told := []string{network.String(), family, strconv.Itoa(seconds), reason}
	const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	environ = []string{"PATH=" + path, "LANG=C"}
	for i, name := range []string{"NETWORK", "FAMILY", "SECONDS", "REASON"} {
		environ = append(environ, "SENDWRAP_"+name+"="+told[i])
	}
	return append(slices.Clone(program), told...), environ
}
