package wrapper

import (
	"bytes"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/policy"
)

// Early is what a client sent before its greeting.
type Early struct {
	Kind  policy.Kind // see kindOf
	Bytes int         // waiting to be read when we looked
	Text  []byte      // the first of them
}

// earlyText is how much of the early bytes is looked at.
const earlyText = 128

// peekEarly looks at what is waiting and leaves it there.
func peekEarly(fd int) Early {
	var text [earlyText]byte
	n, _, _ := peek(fd, text[:])
	return early(fd, text[:n])
}

// early is what a client has sent, of which text was seen.
func early(fd int, text []byte) Early {
	waiting := len(text)
	if len(text) == earlyText { // there may be more
		if all, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err == nil {
			waiting = max(len(text), all)
		}
	}
	return Early{Kind: kindOf(text, waiting), Bytes: waiting, Text: bytes.Clone(text)}
}

// kindOf names what early bytes look like, for an administrator who wonders whether a good client
// was refused:
//
//	ehlo       one EHLO or HELO line
//	pipelined  more than one line, sent blindly, as by an Exim that uses PIPECONNECT
//	tls        a ClientHello: the client expects implicit TLS on this port (RFC 8314)
//	http       a web request: a misled browser or proxy
//	proxy      a PROXY header, version 1 or 2: a load balancer in front that must not send it
//	other      anything else
func kindOf(text []byte, waiting int) policy.Kind {
	line, rest, whole := bytes.Cut(text, []byte("\n"))
	first, _, _ := bytes.Cut(bytes.TrimRight(line, "\r"), []byte(" "))
	verb := string(bytes.ToUpper(first))
	switch {
	case len(text) >= 3 && text[0] == 0x16 && text[1] == 3:
		return policy.TLS
	case bytes.HasPrefix(text, []byte("\r\n\r\n\x00\r\nQUIT\n")), verb == "PROXY":
		return policy.Proxy
	case bytes.Contains(line, []byte(" HTTP/")), verb == "CONNECT" && whole:
		return policy.HTTP
	case whole && (len(rest) > 0 || waiting > len(text)):
		return policy.Pipelined
	case verb == "EHLO" || verb == "HELO":
		return policy.Ehlo
	}
	return policy.Other
}
