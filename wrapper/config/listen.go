package config

import (
	"net/netip"
	"strconv"
	"strings"

	"sendwrap/wrapper/policy"
)

// printGuardListen is the spelling of sendwrap.conf: "unix:/run/guard.sock owner=smmta" or
// "127.0.0.1:8891".
func printGuardListen(c *Config) string {
	l := &c.GuardListen
	if l.Network != unixNetwork {
		return joinWords(l.Address) // a zone may contain any character
	}
	text := joinWords(unixNetwork + ":" + l.Address)
	if l.Owner != "" {
		text += " " + joinWords("owner="+l.Owner)
	}
	return text
}

const (
	unixNetwork   = "unix"
	tcpNetwork    = "tcp"
	maxSocketPath = 107 // bytes: sun_path of unix(7) without its final NUL
)

func setGuardListen(c *Config, args []string) error {
	l, err := parseListen(args[0])
	if err != nil {
		return err
	}
	if _, err := readPair(args[1:], "owner", func(user string) error {
		return setOwner(&l, user)
	}); err != nil {
		return err
	}
	c.GuardListen = l
	return nil
}

func setOwner(l *policy.Listen, user string) error {
	name, _, group := strings.Cut(user, ":")
	switch {
	case l.Network != unixNetwork:
		return newError("leave it out", "only a unix socket has an owner")
	case name == "":
		return newError("write owner=USER", "no user")
	case group:
		return newError("write owner="+name, "%s names a group too", quoted(user))
	}
	l.Owner = user
	return nil
}

// parseListen reads unix:PATH or ADDRESS:PORT.
func parseListen(s string) (policy.Listen, error) {
	if path, found := strings.CutPrefix(s, "unix:"); found {
		if strings.HasPrefix(path, "@") {
			return policy.Listen{}, newError("write the path of a file",
				"%s is an abstract socket, which anyone can open", quoted(s))
		}
		if err := checkAbsolute(path); err != nil {
			return policy.Listen{}, err
		}
		if len(path) > maxSocketPath {
			return policy.Listen{}, newError("write at most "+strconv.Itoa(maxSocketPath),
				"path of %d bytes", len(path))
		}
		return policy.Listen{Network: unixNetwork, Address: path}, nil
	}
	at, err := netip.ParseAddrPort(s)
	switch {
	case err != nil || at.Port() == 0:
		return policy.Listen{}, badListen(s)
	case at.Addr().Is4In6():
		return policy.Listen{},
			newError("write its IPv4 form "+netip.AddrPortFrom(at.Addr().Unmap(),
				at.Port()).String(), "%s is IPv4-mapped", quoted(s))
	}
	return policy.Listen{Network: tcpNetwork, Address: at.String()}, nil
}

// badListen says what is wrong with s. For the spellings of sendmail and Postfix it offers ours.
func badListen(s string) *Error {
	kind, rest, prefixed := strings.Cut(s, ":")
	switch {
	case len(s) > maxShown:
		return notSocket(s)
	case strings.HasPrefix(s, "/"):
		return newError("write unix:"+s, "%s is a path", quoted(s))
	case prefixed && (kind == "local" || kind == "file"):
		return newError("write unix:"+rest, "%s is the spelling of another program", quoted(s))
	case prefixed && (kind == "inet" || kind == "inet6" || kind == "tcp"):
		return newError("write "+guessSocket(kind, rest), "%s is the spelling of another program",
			quoted(s))
	}
	return notAddressPort(s)
}

// notAddressPort says which part of ADDRESS:PORT is wrong or missing.
func notAddressPort(s string) *Error {
	host, port := hostAndPort(s)
	_, addrErr := netip.ParseAddr(host)
	switch {
	case addrErr == nil && port == "" && strings.Contains(host, ":"):
		return newError("write [ADDRESS]:PORT, such as [::1]:8891", "no port in %s", quoted(s))
	case addrErr == nil && port == "":
		return newError("write "+host+":PORT, such as "+host+":8891", "no port in %s", quoted(s))
	case addrErr == nil:
		return newError("write 1 to 65535 after the last colon", "wrong port in %s", quoted(s))
	case isPort(port) && (host == "" || host == "*"):
		return newError("write 127.0.0.1:"+port, "no address in %s", quoted(s))
	case isPort(host) && port == "":
		return newError("write 127.0.0.1:"+host, "no address in %s", quoted(s))
	case isPort(port) && !strings.Contains(host, ":"):
		return newError("write "+guessSocket("inet", s), "%s is a name, not an address",
			quoted(host))
	}
	return notSocket(s)
}

func notSocket(s string) *Error {
	return newError("write unix:PATH or ADDRESS:PORT, such as 127.0.0.1:8891 or [::1]:8891",
		"%s is not a socket", quoted(s))
}

// guessSocket turns 8891@127.0.0.1, 127.0.0.1:8891 or 8891 into ADDRESS:PORT. For a part that is
// unknown, the word ADDRESS or PORT stays.
func guessSocket(kind, s string) string {
	port, host, found := strings.Cut(s, "@")
	if !found {
		if host, port = hostAndPort(s); port == "" {
			host, port = "", host
		}
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && addr.Unmap().Is6():
		host = "[" + addr.String() + "]"
	case err == nil:
		host = addr.Unmap().String()
	case host != "" && host != "localhost":
		host = "ADDRESS"
	case kind == "inet6":
		host = "[::1]"
	default:
		host = "127.0.0.1"
	}
	if !isPort(port) {
		port = "PORT"
	}
	return host + ":" + port
}

// hostAndPort cuts s at the colon before the port, if it has one.
func hostAndPort(s string) (host, port string) {
	host = s
	if _, err := netip.ParseAddr(s); err != nil && !strings.HasSuffix(s, "]") {
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			host, port = s[:i], s[i+1:]
		}
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
}

func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0
}
