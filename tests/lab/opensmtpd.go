package lab

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

// openSMTPDPackage is where tests/setup.sh unpacks OpenSMTPD, which cannot be installed beside
// sendmail.
const openSMTPDPackage = "opensmtpd/usr/sbin/smtpd"

// OpenSMTPD needs two users of its own. Any ids will do that the machine does not use.
const (
	openSMTPDUser  = "opensmtpd"
	openSMTPDQueue = "opensmtpq"
	openSMTPDID    = 64011
)

// NoOpenSMTPD says what the machine lacks for an OpenSMTPD that sends; "" is nothing. Only a
// machine of Isolate's has the users that it needs.
func NoOpenSMTPD() string {
	if missing := NoNamespaces(); missing != "" {
		return missing
	}
	return Lack(Unpacked(openSMTPDPackage))
}

// An OpenSMTPDSite is an OpenSMTPD that takes mail at Inject and sends it all to To, from the
// address From.
type OpenSMTPDSite struct {
	Dir        string // exists
	Inject, To netip.AddrPort
	From       netip.Addr
	TLS        bool // STARTTLS, where it is offered
}

// Make writes its configuration.
func (s OpenSMTPDSite) Make() error {
	scheme := "smtp+notls"
	if s.TLS {
		scheme = "smtp"
	}
	conf := fmt.Sprintf("listen on %v port %d\n"+
		"action \"out\" relay host \"%s://%v\" src %v\n"+
		"match from any for any action \"out\"\n",
		s.Inject.Addr(), s.Inject.Port(), scheme, s.To, s.From)
	return os.WriteFile(s.conf(), []byte(conf), 0o644)
}

func (s OpenSMTPDSite) conf() string { return filepath.Join(s.Dir, "smtpd.conf") }

// Command is the site's smtpd, in the foreground, with its log on standard error. Its queue and its
// sockets have fixed places: so it has mounts of its own there.
func (s OpenSMTPDSite) Command() *exec.Cmd {
	const script = `set -e
mount -t tmpfs -o mode=711 tmpfs /var/spool
mount -t tmpfs -o mode=755 tmpfs /var/lib
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /var/lib/opensmtpd/empty
exec "$0" -d -f "$1"`
	return exec.Command("unshare", "--mount", "sh", "-c", script, Unpacked(openSMTPDPackage),
		s.conf())
}
