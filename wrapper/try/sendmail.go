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

	"sendwrap/wrapper/config"
)

// Where a real sendmail is, and what sendmail.cf is made of.
const (
	realSendmail = "/usr/sbin/sendmail"
	sendmailCF   = "/usr/share/sendmail/cf/m4/cf.m4"
)

// promptly is how long all of sendmail may take before the show; it takes a tenth of it. Over a
// host name without a domain sendmail would sleep for a minute (which slowPace must not reach), and
// a DNS that does not answer would make each scene wait.
const promptly = time.Second

//go:embed sendmail.mc
var sendmailMC string

// errNoSendmail says that there is none, which is nothing to tell.
var errNoSendmail = errors.New("no sendmail")

// sendmail makes a site in dir, with the guard for its milter, and returns the command that serves one client there, and
// which sendmail it is. The site has been seen to take a mail. The error is why the stand-in must do.
func sendmail(ctx context.Context, dir string, guard config.Listen, within time.Duration) (
	mta []string, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, file := range []string{realSendmail, sendmailCF} {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, "", errNoSendmail
		}
	}
	if os.Geteuid() != 0 {
		return nil, "", errors.New("wants root")
	}
	site := filepath.Join(dir, "sendmail")
	cf := filepath.Join(site, "sendmail.cf")
	if err := makeSite(ctx, site, cf, guard); err != nil {
		return nil, "", err
	}
	if version, err = sendmailVersion(ctx, cf); err != nil {
		return nil, "", err
	}
	mta = []string{realSendmail, "-C", cf, "-bs"}
	return mta, version, rehearse(ctx, mta)
}

// makeSite writes what sendmail reads.
func makeSite(ctx context.Context, site, cf string, guard config.Listen) error {
	if strings.ContainsAny(site, " `',\"#$()\t\n") {
		return fmt.Errorf("%q cannot be said in m4", site)
	}
	if err := os.MkdirAll(filepath.Join(site, "mqueue"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(site, "service.switch"), []byte("hosts files\naliases files\n"), 0o600); err != nil {
		return err
	}
	m4 := exec.CommandContext(ctx, "m4")
	m4.Stdin = strings.NewReader(strings.NewReplacer("SITE", site, "SOCKET", guard.Address).Replace(sendmailMC))
	text, err := m4.Output()
	if err != nil {
		return fmt.Errorf("m4: %w", err)
	}
	return os.WriteFile(cf, text, 0o600)
}

// sendmailVersion asks the program what it is, since others have that name, too. This is a question to which they do nothing.
func sendmailVersion(ctx context.Context, cf string) (string, error) {
	ask := exec.CommandContext(ctx, realSendmail, "-C", cf, "-d0.1", "-bt")
	ask.WaitDelay = slack           // for a child of it that has our pipe
	text, _ := ask.CombinedOutput() // its status says nothing
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	version, is := bytes.CutPrefix(first, []byte("Version 8."))
	switch {
	case !is:
		return "", errNoSendmail
	case !bytes.Contains(rest, []byte("MILTER")):
		return "", errors.New("knows no milters")
	case ctx.Err() != nil:
		return "", errors.New("too slow; has /etc/hosts the full host name?")
	}
	return "Sendmail 8." + string(version), nil
}

// rehearse delivers a mail, which must take no time. There is no guard yet.
func rehearse(ctx context.Context, mta []string) error {
	inetd, err := listen("127.0.0.1:0", append(mta[:1:1], mta...), nil)
	if err != nil {
		return err
	}
	defer inetd.close()
	seen := alone(addressOf(mistaken), func(from netip.Addr) (*client, error) { return dial(ctx, from, inetd.address()) }, (*client).deliver)[0]
	switch {
	case seen.err != nil:
		return seen.err
	case code(seen.reply) != greeted:
		return fmt.Errorf("replies %q", seen.reply)
	}
	return nil
}
