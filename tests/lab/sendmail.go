package lab

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Sendmail is the real one, and SendmailM4 what its configurations are made from.
const (
	Sendmail   = "/usr/sbin/sendmail"
	SendmailM4 = "/usr/share/sendmail/cf/m4/cf.m4"
)

//go:embed sendmail.mc
var sendmailMC string

// NoSendmail says what the machine lacks for a sendmail of its own; "" is nothing.
func NoSendmail() string { return Lack(Sendmail, SendmailM4, "/usr/bin/m4") }

// A SendmailSite is a directory with all that a sendmail reads and writes, apart from the system's.
// Its sendmail.cf names aliases, queue and the like in Dir.
type SendmailSite struct {
	Dir string // exists; everybody may search it
	// Extras are further lines of sendmail.mc.
	Extras string
	// Boxes are local names whose mail goes to the file Dir/NAME.
	Boxes map[string][]string
}

// CF is the site's sendmail.cf.
func (s SendmailSite) CF() string { return filepath.Join(s.Dir, "sendmail.cf") }

// Make writes the files of the site.
func (s SendmailSite) Make() error {
	if err := os.MkdirAll(filepath.Join(s.Dir, "mqueue"), 0o700); err != nil {
		return err
	}
	aliases := "postmaster: /dev/null\nMAILER-DAEMON: /dev/null\n"
	for box, names := range s.Boxes {
		file := filepath.Join(s.Dir, box)
		for _, name := range names {
			aliases += name + ": " + file + "\n"
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := os.Chown(file, 1, 1); err != nil { // sendmail's default user
			return err
		}
	}
	m4 := exec.Command("m4")
	m4.Stdin = strings.NewReader(strings.ReplaceAll(sendmailMC+s.Extras, "SITE", s.Dir))
	cf, err := m4.Output()
	if err != nil {
		return fmt.Errorf("m4: %w", err)
	}
	for name, text := range map[string]string{
		"sendmail.cf": string(cf), "aliases": aliases,
		"service.switch": "hosts files\naliases files\n",
	} {
		if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	newaliases := exec.Command(Sendmail, "-C", s.CF(), "-bi")
	if out, err := newaliases.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w: %s", newaliases, err, out)
	}
	return nil
}
