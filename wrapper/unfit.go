package wrapper

import (
	"bytes"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// impostors are programs called sendmail that cannot serve clients with -bs. Each is recognized by
// a text that only it contains; names and links differ between systems.
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
	receive = "it only sends mail: install an MTA that receives it"
)

// largestImpostor is more than the size in bytes of any of them. sendmail itself and Exim are
// larger, so that their size is enough to tell.
const largestImpostor = 512 << 10

// Unfit says why the MTA must not be started for clients, and what to write instead: it is a
// sendmail that relays mail of every client, or that does not know -bs. The program is not run. nil
// does not say that it is fit: it may be unreadable or unknown.
func Unfit(mta []string) error {
	if !slices.Contains(mta, "-bs") {
		return nil
	}
	program, ok := readProgram(mta[0])
	if !ok || bytes.HasPrefix(program, []byte("#!")) {
		return nil
	}
	for _, known := range impostors {
		if bytes.Contains(program, []byte(known.text)) {
			return errors.New(mta[0] + " is " + known.whose + ", and " + known.fault +
				`; see "Which MTA it is" in OPERATIONS.md`)
		}
	}
	return nil
}

// readProgram is all of a file that may be an impostor. O_NONBLOCK is for a file that has become a
// FIFO. With it os.File would bring in Go's poller, and two descriptors.
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

// WarnUnfit logs that the MTA is [Unfit]. Once a minute one of all processes looks, since that
// costs too much for each client.
func (d *Door) WarnUnfit() {
	if !d.Ledger.ClaimLog(d.Ledger.Now(), "is it unfit? "+d.Policy.MTA[0]) {
		return
	}
	if err := Unfit(d.Policy.MTA); err != nil {
		d.warn("mta: " + err.Error())
	}
}
