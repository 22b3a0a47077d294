package guard

import (
	"net/netip"
	"strconv"
	"strings"

	"sendwrap/wrapper/milter"
)

// The macros that the guard asks for, by sendmail's names, which Postfix uses, too.
const (
	macroAddress = "{client_addr}"
	macroRelay   = "_" // name [address]
	macroAuth    = "{auth_authen}"
	macroQueue   = "i"
	macroMailer  = "{rcpt_mailer}"
	macroStatus  = "{rcpt_host}"
	macroReason  = "{rcpt_addr}"
	macroVersion = "v" // of the MTA
	macroDaemon  = "{daemon_name}"
	macroTLS     = "{tls_version}"
)

// clientOf is the client, from the connect packet or else from a macro; false for a client without
// an internet address.
func clientOf(c milter.Client, macros milter.Macros) (netip.AddrPort, bool) {
	if c.Family != milter.IPv4 && c.Family != milter.IPv6 {
		return netip.AddrPort{}, false
	}
	ip, ok := address(c.Address)
	if !ok {
		ip, ok = address(macros.Get(macroAddress))
	}
	if !ok {
		relay := macros.Get(macroRelay)
		// Before the last bracket the client may have its say (ident).
		if last := strings.LastIndexByte(relay, '['); last >= 0 {
			text, _, _ := strings.Cut(relay[last+1:], "]")
			ip, ok = address(text)
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), c.Port), ok
}

// address parses an address as MTAs write it. sendmail writes IPv6:2001:db8:0:0:0:0:0:1.
func address(text string) (netip.Addr, bool) {
	if len(text) > len("IPv6:") && strings.EqualFold(text[:len("IPv6:")], "IPv6:") {
		text = text[len("IPv6:"):]
	}
	ip, err := netip.ParseAddr(text)
	return ip.WithZone(""), err == nil
}

// rejected reports whether the MTA has rejected a recipient permanently, from its macros, and why;
// why is "" only for a recipient that it accepts. Both MTAs say "error" for the mailer then. A
// temporary rejection (a database that does not answer, greylisting) is no guess, and nor is one
// without a reason.
//
// Both give the status in one macro and the text in the other. But for user+detail sendmail leaves
// an empty status and the user's own name, which may begin with any digit.
func rejected(macros milter.Macros) (why string, permanent bool) {
	if macros.Get(macroMailer) != "error" {
		return "", false
	}
	status, reason := macros.Get(macroStatus), macros.Get(macroReason)
	why = strings.TrimSpace(status + " " + reason)
	if why == "" {
		return "no reason given", false
	}
	return why, !temporary(status) && !(strings.Contains(reason, " ") && temporary(reason))
}

// temporary reports whether a text begins with a reply code (RFC 5321) or a status (RFC 3463) of
// class 4.
func temporary(text string) bool {
	code, _, _ := strings.Cut(text, " ")
	digits := strings.ReplaceAll(code, ".", "")
	n, err := strconv.ParseUint(digits, 10, 32)
	switch strings.Count(code, ".") {
	case 0:
		return err == nil && n/100 == 4
	case 2:
		return err == nil && strings.HasPrefix(code, "4.")
	}
	return false
}
