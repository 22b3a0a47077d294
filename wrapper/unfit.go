package wrapper

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// impostors are programs that have the name of sendmail, and that sendwrap cannot stand in front of
// with -bs. Each is known by a text of its own; names and links say nothing that holds everywhere.
var impostors = []struct{ text, whose, fault string }{
	{"the Postfix sendmail command", "Postfix's", "ends with an error as root; " +
		"write mta /usr/bin/setpriv --reuid=postfix --regid=postfix --clear-groups " +
		"/usr/lib/postfix/sbin/smtpd -S"},
	{"courieresmtpd", "Courier's", relays + "write mta with a script that runs courieresmtpd"},
	{"nullmailer-inject", "nullmailer's", relays + receive},
	{"/smtpd.sock", "OpenSMTPD's", mute + "let OpenSMTPD listen itself"},
	{"DragonFly Mail Agent", "dma's", mute + receive},
	{".msmtprc", "msmtp's", mute + receive},
	{".esmtprc", "esmtp's", mute + receive},
	{"sSMTP", "sSMTP's", mute + receive},
}

const (
	relays  = "relays mail of every client to anywhere; "
	mute    = "does not speak SMTP on standard input; "
	receive = "it is there to send mail: install an MTA that receives it"
)

// largestImpostor is more than the size of any of them in bytes. sendmail itself and Exim are
// larger, so that a look at their size is enough.
const largestImpostor = 512 << 10

// Unfit says why the MTA must not be started for clients, and what to write instead: it is a
// sendmail that relays for everybody, or cannot do what -bs asks for. The program is not run. nil
// stands also for one that cannot be read or is not known.
func Unfit(mta []string) error {
	if !slices.Contains(mta, "-bs") {
		return nil
	}
	program, ok := readProgram(mta[0])
	if !ok || bytes.HasPrefix(program, []byte("#!")) {
		return nil
	}
	for _, is := range impostors {
		if bytes.Contains(program, []byte(is.text)) {
			return fmt.Errorf("%s is %s, and %s; see \"Which MTA it is\" in OPERATIONS.md",
				mta[0], is.whose, is.fault)
		}
	}
	return nil
}

// readProgram is all of a file that may be an impostor. It is not for os.File, which would bring
// Go's poller, and two descriptors, for O_NONBLOCK: the file may have become a FIFO.
func readProgram(path string) (program []byte, ok bool) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, false
	}
	defer unix.Close(fd)
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil || info.Mode&unix.S_IFMT != unix.S_IFREG ||
		info.Size > largestImpostor {
		return nil, false
	}
	program = make([]byte, info.Size)
	for n := 0; n < len(program); {
		more, err := unix.Read(fd, program[n:])
		if err != nil || more == 0 {
			return nil, false
		}
		n += more
	}
	return program, true
}

// WarnUnfit looks whether the MTA is [Unfit], and logs it, once a minute for all processes: the
// look is not for each client.
func (d *Door) WarnUnfit() {
	if !d.Ledger.ClaimLog(ledger.Now(), "is it unfit? "+d.Config.MTA[0]) {
		return
	}
	if err := Unfit(d.Config.MTA); err != nil {
		d.warn("mta: " + err.Error())
	}
}
