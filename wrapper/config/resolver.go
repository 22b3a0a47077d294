package config

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"sendwrap/wrapper/policy"
)

const (
	maxResolvers = 8
	dnsPort      = 53
	maxListTTL   = 24 * time.Hour // the ledger keeps nothing longer
)

func setWelcome(c *Config, args []string) error {
	if n := 0; setCount(&n, args[0], 1, maxScore) == nil {
		return newError("write -"+strconv.Itoa(n), "%s is above 0", quoted(args[0]))
	}
	return setCount(&c.DNSBLWelcome, args[0], -maxScore, 0)
}

func setListTTL(c *Config, args []string) error {
	if len(args) != 2 {
		return newError("write both, such as 1m 1h", "one time")
	}
	var ttl policy.TTL
	if err := setDuration(&ttl.Max, args[1], time.Second, maxListTTL); err != nil {
		return prefixError("MAX", err)
	}
	if err := setDuration(&ttl.Min, args[0], time.Second, maxListTTL); err != nil {
		return prefixError("MIN", err)
	}
	if ttl.Min > ttl.Max {
		return newError("write the shorter one first: "+args[1]+" "+args[0],
			"%s is longer than %s", quoted(args[0]), quoted(args[1]))
	}
	c.DNSBLTTL = ttl
	return nil
}

func setResolvers(c *Config, args []string) error {
	if len(args) == 1 && args[0] == auto {
		c.Resolvers = nil
		return nil
	}
	var all []netip.AddrPort
	for _, arg := range args {
		at, err := parseResolver(arg)
		if err != nil {
			return err
		}
		if slices.Contains(all, at) {
			return newError("keep one", "%s is given twice", quoted(arg))
		}
		all = append(all, at)
	}
	if len(all) > maxResolvers {
		return newError("write fewer", "more than %d resolvers", maxResolvers)
	}
	c.Resolvers = all
	return nil
}

func printResolvers(c *Config) string {
	if len(c.Resolvers) == 0 {
		return auto
	}
	var words []string
	for _, at := range c.Resolvers {
		word := at.String()
		if at.Port() == dnsPort {
			word = at.Addr().String()
		}
		words = append(words, word)
	}
	return joinWords(words...)
}

// parseResolver reads ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
func parseResolver(s string) (netip.AddrPort, error) {
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		addr, addrErr := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
		if addrErr != nil {
			return at, badResolver(s)
		}
		at = netip.AddrPortFrom(addr, dnsPort)
	}
	switch a := at.Addr(); {
	case at.Port() == 0:
		return at, newError("write 1 to 65535 after the last colon", "wrong port in %s", quoted(s))
	case a.Is4In6():
		return at, newError("write its IPv4 form "+a.Unmap().String(), "%s is IPv4-mapped",
			quoted(s))
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return at, newError("write 127.0.0.1 for this machine's own", "%s is no host's address",
			quoted(s))
	case a.IsLinkLocalUnicast() && a.Is6() && a.Zone() == "":
		return at, newError("write "+a.String()+"%INTERFACE", "no interface for %s", quoted(s))
	}
	return at, nil
}

// badResolver says what is wrong with s. For the spellings of unbound and dnsmasq it offers ours.
func badResolver(s string) *Error {
	for _, sign := range []string{"@", "#"} {
		host, port, found := strings.Cut(s, sign)
		if addr, err := netip.ParseAddr(host); found && err == nil && isPort(port) {
			ours := addr.String() + ":" + port
			if addr.Is6() {
				ours = "[" + addr.String() + "]:" + port
			}
			return newError("write "+ours, "%s is the spelling of another program", quoted(s))
		}
	}
	host, port := hostAndPort(s)
	_, addrErr := netip.ParseAddr(host)
	switch {
	case addrErr == nil:
		return newError("write 1 to 65535 after the last colon", "wrong port in %s", quoted(s))
	case meansOff(s):
		return newError("write auto for those of /etc/resolv.conf", "%s is not an address",
			quoted(s))
	case policy.IsHostname(host) && (port == "" || isPort(port)):
		return newError("write its address, or 127.0.0.1 for this machine",
			"%s is a name, for which a resolver would have to be asked first", quoted(host))
	}
	return newError("write ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT, such as 127.0.0.1",
		"%s is not an address", quoted(s))
}
