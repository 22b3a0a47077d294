package config

import (
	"net/netip"
	"strconv"
	"strings"
)

// Listen is where the guard waits for the MTA.
type Listen struct {
	Network string // "unix" or "tcp"
	Address string // an absolute path, or ADDRESS:PORT as netip.ParseAddrPort reads it
	Owner   string // of the unix socket, a user's name or number; "" = the user that runs the guard
}

// String is the spelling of sendwrap.conf: "unix:/run/guard.sock owner=smmta" or "127.0.0.1:8891".
func (l Listen) String() string {
	if l.Network != unixNetwork {
		return joined(l.Address) // the zone of an address may be anything
	}
	text := joined(unixNetwork + ":" + l.Address)
	if l.Owner != "" {
		text += " " + joined("owner="+l.Owner)
	}
	return text
}

const (
	unixNetwork   = "unix"
	tcpNetwork    = "tcp"
	maxSocketPath = 107 // bytes: sun_path of unix(7) without its final NUL
)

var guardListenKeys = []string{"owner"}

func setGuardListen(c *Config, args []string) error {
	l, err := parseListen(args[0])
	if err != nil {
		return err
	}
	p := pairs{known: guardListenKeys}
	for _, arg := range args[1:] {
		key, value, err := p.split(arg)
		if err == nil {
			err = within(key, l.own(value))
		}
		if err != nil {
			return err
		}
	}
	c.GuardListen = l
	return nil
}

// own sets the owner.
func (l *Listen) own(user string) error {
	name, _, group := strings.Cut(user, ":")
	switch {
	case l.Network != unixNetwork:
		return wrong("leave it out", "only a unix socket has an owner")
	case name == "":
		return wrong("write owner=USER", "no user")
	case group:
		return wrong("write owner="+name, "%s names a group too", quoted(user))
	}
	l.Owner = user
	return nil
}

// parseListen reads unix:PATH or ADDRESS:PORT.
func parseListen(s string) (Listen, error) {
	if path, found := strings.CutPrefix(s, "unix:"); found {
		if strings.HasPrefix(path, "@") {
			return Listen{}, wrong("write the path of a file", "%s is an abstract socket, which anyone may open", quoted(s))
		}
		if err := absolute(path); err != nil {
			return Listen{}, err
		}
		if len(path) > maxSocketPath {
			return Listen{}, wrong("write at most "+strconv.Itoa(maxSocketPath), "path of %d bytes", len(path))
		}
		return Listen{Network: unixNetwork, Address: path}, nil
	}
	at, err := netip.ParseAddrPort(s)
	switch {
	case err != nil || at.Port() == 0:
		return Listen{}, notListen(s)
	case at.Addr().Is4In6():
		return Listen{}, wrong("write its IPv4 form "+netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String(), "%s is IPv4-mapped", quoted(s))
	}
	return Listen{Network: tcpNetwork, Address: at.String()}, nil
}

// notListen says what is wrong with s, and what to write if it is as sendmail and Postfix spell it.
func notListen(s string) *Error {
	kind, rest, prefixed := strings.Cut(s, ":")
	switch {
	case len(s) > maxShown:
		return noSocket(s)
	case strings.HasPrefix(s, "/"):
		return wrong("write unix:"+s, "%s is a path", quoted(s))
	case prefixed && (kind == "local" || kind == "file"):
		return wrong("write unix:"+rest, "%s is not our spelling", quoted(s))
	case prefixed && (kind == "inet" || kind == "inet6" || kind == "tcp"):
		return wrong("write "+meantSocket(kind, rest), "%s is not our spelling", quoted(s))
	}
	return notAddressPort(s)
}

// notAddressPort says which part of ADDRESS:PORT is wrong or missing.
func notAddressPort(s string) *Error {
	host, port := hostAndPort(s)
	_, addrErr := netip.ParseAddr(host)
	switch {
	case addrErr == nil && port == "" && strings.Contains(host, ":"):
		return wrong("write [ADDRESS]:PORT, such as [::1]:8891", "no port in %s", quoted(s))
	case addrErr == nil && port == "":
		return wrong("write "+host+":PORT, such as "+host+":8891", "no port in %s", quoted(s))
	case addrErr == nil:
		return wrong("write 1 to 65535 after the last colon", "wrong port in %s", quoted(s))
	case isPort(port) && (host == "" || host == "*"):
		return wrong("write 127.0.0.1:"+port, "no address in %s", quoted(s))
	case isPort(host) && port == "":
		return wrong("write 127.0.0.1:"+host, "no address in %s", quoted(s))
	case isPort(port) && !strings.Contains(host, ":"):
		return wrong("write "+meantSocket("inet", s), "%s is a name, not an address", quoted(host))
	}
	return noSocket(s)
}

func noSocket(s string) *Error {
	return wrong("write unix:PATH or ADDRESS:PORT, such as 127.0.0.1:8891 or [::1]:8891", "%s is no socket", quoted(s))
}

// meantSocket is ADDRESS:PORT of 8891@127.0.0.1, 127.0.0.1:8891 or 8891, with ADDRESS and PORT
// in place of what is not known.
func meantSocket(kind, s string) string {
	port, host, sendmails := strings.Cut(s, "@")
	if !sendmails {
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

// hostAndPort cuts s at the colon before the port, if there is one.
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
