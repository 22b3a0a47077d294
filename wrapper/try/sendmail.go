package try

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sendwrap/wrapper/policy"
)

// A real sendmail, and the source of a sendmail.cf.
const (
	realSendmail = "/usr/sbin/sendmail"
	sendmailCF   = "/usr/share/sendmail/cf/m4/cf.m4"
)

// sendmailTime is how long sendmail may take to set up; it needs a tenth of that. With a host name
// without a domain sendmail would sleep for a minute (which slowFactor must not reach), and a DNS
// that does not answer would delay each scene.
const sendmailTime = time.Second

//go:embed sendmail.mc
var sendmailMC string

// errNoSendmail means that there is no sendmail. That is not worth a message.
var errNoSendmail = errors.New("no sendmail")

// sendmail sets up a sendmail in dir, with the guard as its milter, and delivers a message to it.
// It returns the command that serves one client, and the version. The error says why the stand-in
// must be used instead.
func sendmail(ctx context.Context, dir string, guard policy.Listen, within time.Duration) (
	mta []string, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, file := range []string{realSendmail, sendmailCF} {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, "", errNoSendmail
		}
	}
	if os.Geteuid() != 0 {
		return nil, "", errors.New("needs root")
	}
	site := filepath.Join(dir, "sendmail")
	cf := filepath.Join(site, "sendmail.cf")
	if err := writeSite(ctx, site, cf, guard); err != nil {
		return nil, "", err
	}
	if version, err = sendmailVersion(ctx, cf); err != nil {
		return nil, "", err
	}
	mta = []string{realSendmail, "-C", cf, "-bs"}
	return mta, version, rehearse(ctx, mta)
}

// writeSite writes what sendmail reads.
func writeSite(ctx context.Context, site, cf string, guard policy.Listen) error {
	if strings.ContainsAny(site, " `',\"#$()\t\n") {
		return fmt.Errorf("m4 cannot quote %q", site)
	}
	if err := os.MkdirAll(filepath.Join(site, "mqueue"), 0o700); err != nil {
		return err
	}
	services := filepath.Join(site, "service.switch")
	if err := os.WriteFile(services, []byte("hosts files\naliases files\n"), 0o600); err != nil {
		return err
	}
	places := strings.NewReplacer("SITE", site, "SOCKET", guard.Address)
	m4 := exec.CommandContext(ctx, "m4")
	m4.Stdin = strings.NewReader(places.Replace(sendmailMC))
	text, err := m4.Output()
	if err != nil {
		return fmt.Errorf("m4: %w", err)
	}
	return os.WriteFile(cf, text, 0o600)
}

// sendmailVersion asks the program what it is, since other programs have that name, too. The
// question changes nothing in any of them.
func sendmailVersion(ctx context.Context, cf string) (string, error) {
	ask := exec.CommandContext(ctx, realSendmail, "-C", cf, "-d0.1", "-bt")
	ask.WaitDelay = slack           // a child of it may have our pipe
	text, _ := ask.CombinedOutput() // its status means nothing
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	version, ok := bytes.CutPrefix(first, []byte("Version 8."))
	switch {
	case !ok:
		return "", errNoSendmail
	case !bytes.Contains(rest, []byte("MILTER")):
		return "", errors.New("built without milters")
	case ctx.Err() != nil:
		return "", errors.New("too slow; is the full host name in /etc/hosts?")
	}
	return "Sendmail 8." + string(version), nil
}

// rehearse delivers a message, which must take no time. There is no guard yet.
func rehearse(ctx context.Context, mta []string) error {
	inetd, err := listen("127.0.0.1:0", append(mta[:1:1], mta...), nil)
	if err != nil {
		return err
	}
	defer inetd.close()
	connect := func(from netip.Addr) (*client, error) { return dial(ctx, from, inetd.address()) }
	saw := runOne(addressOf(mistaken), connect, (*client).deliver)[0]
	switch {
	case saw.err != nil:
		return saw.err
	case code(saw.reply) != greeted:
		return fmt.Errorf("replies %q", saw.reply)
	}
	return nil
}
