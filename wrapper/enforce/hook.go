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
	maxHooks     = 4                // on_block at a time, over all processes
	hookTime     = 10 * time.Second // for each; then it is killed
	turnPatience = 5 * time.Second  // for a turn among them
)

// Tell runs on_block for a block that has begun, or, with For 0, for one that an administrator has ended; whatever is told of the
// one is told of the other, if it is not spared. It returns when the program has ended, within 15 s.
//
// A block that has been ended meanwhile is not told. The error, which the log has too, names the program.
func (e *Enforcer) Tell(b Block) error {
	if b.For > 0 && Spare(e.Config, b.Network).OnBlock != "" || e.Config.OnBlock == nil {
		return nil
	}
	began := time.Now()
	err := e.tell(b)
	if err != nil {
		line := maillog.NewLine("ONBLOCK").Str("network", b.Network.String()).Dur("after", time.Since(began)).Quote("error", err.Error())
		e.warn(line.String())
		return fmt.Errorf("on_block: %w", err)
	}
	return nil
}

func (e *Enforcer) tell(b Block) error {
	began := time.Now()
	l, err := e.open()
	if err != nil {
		return err
	}
	defer l.Close()
	patience := e.patience
	if patience == 0 {
		patience = turnPatience
	}
	release, err := l.Turn(maxHooks, patience)
	if errors.Is(err, ledger.ErrNoTurn) {
		return fmt.Errorf("%s was not run: %d of them ran for more than %v", e.Config.OnBlock[0], maxHooks, patience)
	} else if err != nil {
		return fmt.Errorf("%s was not run: %w", e.Config.OnBlock[0], err)
	}
	defer release()
	seconds := 0
	if b.For > 0 {
		left := b.For - time.Since(began)
		if left <= 0 || lifted(l, b.Network) {
			return nil
		}
		seconds = int((left + time.Second - 1) / time.Second)
	}
	hooks := e.hooks
	if hooks == nil {
		if hooks, err = exec.NewHooks(nil); err != nil {
			return err
		}
	}
	argv, environ := hookArgs(e.Config.OnBlock, b.Network, seconds, Word(b.Reason))
	return hooks.Run(argv, environ, hookTime)
}

// lifted says whether no block runs on the network any more.
func lifted(l *ledger.Ledger, network netip.Prefix) (lifted bool) {
	_ = l.Do(ledger.Now(), func(t *ledger.Tx) {
		b, runs := t.BlockOf(network.Addr(), network)
		lifted = !runs || b.Network.Bits() > network.Bits() // of its first address alone
	})
	return lifted // false if the ledger could not be asked
}

// hookArgs are the arguments and the environment of on_block.
func hookArgs(program []string, network netip.Prefix, seconds int, reason string) (argv, environ []string) {
	family := [...]string{"ipv4", "ipv6"}[familyOf(network.Addr())]
	told := []string{network.String(), family, strconv.Itoa(seconds), reason}
	environ = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"}
	for i, name := range []string{"NETWORK", "FAMILY", "SECONDS", "REASON"} {
		environ = append(environ, "SENDWRAP_"+name+"="+told[i])
	}
	return append(slices.Clone(program), told...), environ
}
