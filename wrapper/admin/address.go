package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"sendwrap/allowlist"
)

// network is the network that an argument names; of an address that under which it is counted.
func network(d *configured, arg string) (netip.Prefix, error) {
	n, err := parseNetwork(arg)
	if err != nil {
		return n, err
	}
	if n.IsSingleIP() {
		return d.Network(n.Addr()), nil
	}
	return n, nil
}

// address is a single client.
func address(arg string) (netip.Addr, error) {
	n, err := parseNetwork(arg)
	if err != nil {
		return netip.Addr{}, err
	}
	if !n.IsSingleIP() {
		return netip.Addr{}, UsageError(fmt.Sprintf("%q is a network; name one address", arg))
	}
	return n.Addr(), nil
}

// parseNetwork reads a network, or an address as logs and bounces write it. Text that is like
// neither is called a wrong address, since mostly addresses are typed.
func parseNetwork(arg string) (netip.Prefix, error) {
	n, err := allowlist.ParseNetwork(bare(arg))
	var why *allowlist.Error
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &why) && strings.HasPrefix(why.Hint, "write a network") &&
		strings.Index(arg, "/") <= 0:
		return n, UsageError(fmt.Sprintf("%q is not an address; write one such as 192.0.2.7", arg))
	}
	return n, UsageError(err.Error())
}

// bare is the address in a word such as [192.0.2.30]:51544 or [IPv6:2001:db8::1]. It returns other
// words unchanged.
func bare(word string) string {
	inside, port, closed := strings.Cut(word, "]")
	inside, opened := strings.CutPrefix(inside, "[")
	if !opened || !closed || strings.Trim(port, ":0123456789") != "" {
		return word
	}
	const tag = "IPv6:"
	if len(inside) > len(tag) && strings.EqualFold(inside[:len(tag)], tag) {
		inside = inside[len(tag):]
	}
	if _, err := netip.ParseAddr(inside); err != nil {
		return word
	}
	return inside
}
