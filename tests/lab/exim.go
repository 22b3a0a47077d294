package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// eximPackage is where tests/setup.sh unpacks Exim, which cannot be installed beside sendmail.
const eximPackage = "exim4-daemon-light/usr/sbin/exim4"

// EximUser is the user that Debian's Exim runs as, wherever it can.
const EximUser = "Debian-exim"

const eximID = 64003 // that no user of the machine has

// NoExim says what the machine lacks for an Exim of its own; "" is nothing. Only a machine of
// Isolate's has the user that Exim needs.
func NoExim() string {
	if missing := NoNamespaces(); missing != "" {
		return missing
	}
	return Lack(Unpacked(eximPackage))
}

// An EximSite is a directory with all that an Exim reads and writes. It takes any mail from any
// client, and offers PIPECONNECT, as Exim does by default.
type EximSite struct {
	Dir string // exists; everybody may search it
	// Main are lines of the main section of its configuration, after those that every site has.
	Main []string
	// To is where it sends all mail, from the address From. It speaks before the greeting if the
	// server has offered that. If To is not valid, all mail goes to the file Dir/spool/box.
	To   netip.AddrPort
	From netip.Addr
}

// Program is the site's Exim: a copy, since it starts itself as its own user, which cannot read a
// file of root's home.
func (s EximSite) Program() string { return filepath.Join(s.Dir, "exim4") }

// Conf is the site's configuration.
func (s EximSite) Conf() string { return filepath.Join(s.Dir, "exim.conf") }

// Log is the site's main log.
func (s EximSite) Log() string { return filepath.Join(s.Dir, "spool/mainlog") }

// Make writes the files of the site.
func (s EximSite) Make() error {
	program, err := os.ReadFile(Unpacked(eximPackage))
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.Program(), program, 0o755); err != nil {
		return err
	}
	spool := filepath.Join(s.Dir, "spool")
	if err := os.Mkdir(spool, 0o755); err != nil {
		return err
	}
	if err := os.Chown(spool, eximID, eximID); err != nil {
		return err
	}
	router := "driver = accept\n"
	transport := "driver = appendfile\nfile = SITE/spool/box\nuser = " + EximUser + "\n"
	if s.To.IsValid() {
		router = fmt.Sprintf("driver = manualroute\nroute_list = * %v byname\nself = send\n",
			s.To.Addr())
		transport = fmt.Sprintf("driver = smtp\nport = %d\ninterface = <; %v\n"+
			"hosts_pipe_connect = *\nhosts_try_fastopen =\n", s.To.Port(), s.From)
	}
	conf := strings.Join(append([]string{
		"primary_hostname = " + HostName,
		"exim_path = SITE/exim4",
		"spool_directory = SITE/spool",
		"log_file_path = SITE/spool/%slog",
		"log_selector = +pipelining",
		"acl_smtp_rcpt = accept",
		"tls_advertise_hosts =",
		"keep_environment =",
	}, s.Main...), "\n") +
		"\nbegin routers\nall:\n" + router + "transport = all\n" +
		"begin transports\nall:\n" + transport +
		"begin retry\n* * F,1h,1s\n"
	return os.WriteFile(s.Conf(), []byte(strings.ReplaceAll(conf, "SITE", s.Dir)), 0o644)
}
