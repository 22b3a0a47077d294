package enforce

import (
	"cmp"
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
	maxEnds  = 1 // an end may take only the first of their slots, so that no begin waits for ends

	hookTime     = 10 * time.Second // for each; then it is killed
	slotPatience = 5 * time.Second  // for a slot
	endPatience  = 30 * time.Second // for a slot at the end of a block, after those that begin
)

// RunHook runs on_block for a block that has begun, unless the network is exempt. With For 0 it
// runs on_block for the end of all blocks on a network and within it. It returns when the program
// has ended, for a block that has begun within 15 s.
//
// The last run of on_block agrees with the ledger. It does not run for a block that ends before it
// gets a slot. It runs for the end of a block that is ended while it runs. After an end it runs for
// the blocks within that network that are still in force. The error names the program; it has been
// logged.
func (e *Enforcer) RunHook(b Block) error {
	if b.For > 0 && Exempt(e.Config, b).OnBlock != "" || !e.RunsHookAtEnd(b.Network) {
		return nil
	}
	began := time.Now()
	err := e.runHook(b)
	if err != nil {
		line := maillog.NewLine("ONBLOCK").Str("network", b.Network.String())
		e.warn(line.Dur("after", time.Since(began)).Quote("error", err.Error()).String())
		return fmt.Errorf("on_block: %w", err)
	}
	return nil
}

// RunsHookAtEnd reports whether on_block runs when a block of the network has been ended. It does
// so for networks that are exempt when a block begins, too: a firewall may have them from before.
// It never runs for loopback.
func (e *Enforcer) RunsHookAtEnd(network netip.Prefix) bool {
	return e.Config.OnBlock != nil && !onlyLoopback(network)
}

func (e *Enforcer) runHook(b Block) error {
	l, err := e.open()
	if err != nil {
		return err
	}
	defer l.Close()
	if b.For > 0 {
		return e.runAtBegin(l, b)
	}
	return e.runAtEnd(l, b)
}

// runAtBegin runs on_block for what is left of a block once it has a slot.
func (e *Enforcer) runAtBegin(l *ledger.Ledger, b Block) error {
	began := time.Now()
	release, err := e.takeSlot(maxHooks, slotPatience)
	if err != nil {
		return err
	}
	defer release()
	left := b.For - time.Since(began)
	if left <= 0 || wasUnblocked(l, b.Network) {
		return nil
	}
	err = e.run(b.Network, int((left+time.Second-1)/time.Second), b.Reason)
	if time.Since(began) < b.For && wasUnblocked(l, b.Network) {
		// Another process may have run it for the end before.
		if endErr := e.run(b.Network, 0, b.Reason); err == nil {
			err = endErr
		}
	}
	return err
}

// runAtEnd runs on_block for the end of a block, then for the blocks on networks within it, all of
// which a firewall has just removed.
func (e *Enforcer) runAtEnd(l *ledger.Ledger, end Block) error {
	release, err := e.takeSlot(maxEnds, endPatience)
	if err != nil {
		return err
	}
	err = e.run(end.Network, 0, end.Reason)
	release()
	if err != nil {
		return err
	}
	all, err := l.Blocks(ledger.Now())
	if err != nil {
		return fmt.Errorf("%s was not run for the blocks within %v: %w",
			e.Config.OnBlock[0], end.Network, err)
	}
	for _, b := range all {
		if b.Network.Bits() >= end.Network.Bits() && end.Network.Contains(b.Network.Addr()) {
			err = cmp.Or(err, e.RunHook(Block{b.Network, b.Left, b.Reason, b.ByHand}))
		}
	}
	return err
}

// takeSlot waits until on_block may run in one of the first n slots.
func (e *Enforcer) takeSlot(n int, patience time.Duration) (release func(), err error) {
	if e.patience != 0 {
		patience = e.patience
	}
	release, err = takeSlot(e.Config.Ledger.Path, n, patience)
	program := e.Config.OnBlock[0]
	if errors.Is(err, errNoSlot) {
		return nil, fmt.Errorf("%s was not run: %d of them ran for more than %v",
			program, n, patience)
	} else if err != nil {
		return nil, fmt.Errorf("%s was not run: %w", program, err)
	}
	return release, nil
}

func (e *Enforcer) run(network netip.Prefix, seconds int, reason string) error {
	hooks := e.hooks
	if hooks == nil {
		var err error
		if hooks, err = exec.NewHooks(nil); err != nil {
			return err
		}
	}
	argv, environ := hookArgs(e.Config.OnBlock, network, seconds, ledger.ReasonWord(reason))
	return hooks.Run(argv, environ, hookTime)
}

// wasUnblocked looks in the ledger whether the network's block has ended. It returns false if the
// ledger cannot be read.
func wasUnblocked(l *ledger.Ledger, network netip.Prefix) (ended bool) {
	_ = l.Do(ledger.Now(), func(t *ledger.Tx) {
		b, found := t.BlockOf(network.Addr(), network)
		ended = !found || b.Network.Bits() > network.Bits() // of its first address alone
	})
	return ended
}

// hookArgs returns the arguments and the environment of on_block.
func hookArgs(
	program []string, network netip.Prefix, seconds int, reason string,
) (argv, environ []string) {
	family := [...]string{"ipv4", "ipv6"}[familyOf(network.Addr())]
	args := []string{network.String(), family, strconv.Itoa(seconds), reason}
	const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	environ = []string{"PATH=" + path, "LANG=C"}
	for i, name := range []string{"NETWORK", "FAMILY", "SECONDS", "REASON"} {
		environ = append(environ, "SENDWRAP_"+name+"="+args[i])
	}
	return append(slices.Clone(program), args...), environ
}
