package main

import (
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The names under which the table shows mail servers without the guard.
const (
	bareSendmail  = "bare sendmail"
	throttled     = "BadRcptThrottle=2"
	shutting      = "BadRcptShutdown=3"
	barePostfix   = "Postfix"
	guardsPostfix = "Postfix with the guard"
)

// aliases lets the valid names of the dictionary be root's.
func aliases() string {
	var b strings.Builder
	for _, g := range guessable(guesses) {
		if g.valid {
			fmt.Fprintf(&b, "%s: root\n", g.name)
		}
	}
	return b.String()
}

// sendmailCF makes a sendmail.cf whose sendmail knows the valid names, and asks the guard at socket unless that is "".
func (l *lab) sendmailCF(name, socket string) (string, error) {
	dir := filepath.Join(l.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	file := filepath.Join(dir, "aliases")
	if err := os.WriteFile(file, []byte(aliases()), 0o600); err != nil {
		return "", err
	}
	more := []string{
		"define(`ALIAS_FILE', `" + file + "')",
		"define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit')", // our directory lies in /tmp
		"define(`confTO_IDENT', `0')",
	}
	if socket != "" {
		more = append(more, "INPUT_MAIL_FILTER(`sendwrap', `S=local:"+socket+", F=, T=C:5s;S:5s;R:10s;E:10s')")
	}
	cf, err := writeSendmailCF(dir, more...)
	if err != nil {
		return "", err
	}
	newaliases := osexec.Command(sendmail, "-bi", "-C"+cf)
	if out, err := newaliases.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%q: %w\n%s", newaliases.Args, err, out)
	}
	return cf, nil
}

// guarded is sendwrap with a guard that runs.
type guarded struct {
	*instance
	socket string
	guard  *daemon
}

// guarded starts the guard of a configuration with these directives, and no others but where ledger and guard are.
// owner may open the guard's socket, "" for root.
func (l *lab) guarded(name, owner string, directives ...string) (g guarded, err error) {
	g.socket = l.socket(name)
	at := "guard_listen unix:" + g.socket
	if owner != "" {
		at += " owner=" + owner
	}
	if g.instance, err = l.instance(name, append(directives, at)...); err != nil {
		return g, err
	}
	up := func() (bool, error) { return listeningAt(g.socket) }
	g.guard, err = l.launch(up, []string{g.program, "guard", "-f", g.conf})
	if err == nil {
		g.guard.ours = true
	}
	return g, err
}

// socket is where the guard of that name listens.
func (l *lab) socket(name string) string { return filepath.Join(l.dir, name+".sock") }

// milters are the parameters of postconf(5) that let Postfix ask the guard.
func (g guarded) milters() []string {
	return []string{"smtpd_milters = unix:" + g.socket, "milter_default_action = accept", "milter_command_timeout = 10s"}
}

// listeningAt reports whether a program listens on a unix socket. Nothing connects to find out: that would be a session.
func listeningAt(path string) (bool, error) {
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return false, err
	}
	const accepts = "00010000" // __SO_ACCEPTCON of the kernel's net.h
	for line := range strings.Lines(string(table)) {
		field := strings.Fields(line)
		if len(field) == 8 && field[3] == accepts && field[7] == path {
			return true, nil
		}
	}
	return false, nil
}

// alone waits until all the processes that the daemon has started have ended, and it knows.
func (d *daemon) alone() error {
	return await(d.name+" has no processes left", func() (bool, error) {
		all, err := d.processes()
		return len(all) == 1, err
	})
}

// lifetime ends the daemon and returns the CPU time that it has used, with all processes it has started and waited for.
func (d *daemon) lifetime() (time.Duration, error) {
	if err := errors.Join(d.alone(), d.stop()); err != nil {
		return 0, err
	}
	s := d.cmd.ProcessState
	return s.UserTime() + s.SystemTime(), nil
}

// smtpd starts a Postfix that takes mail for the valid names, with more parameters of postconf(5).
func (l *lab) smtpd(name string, parameters ...string) (*daemon, error) {
	addr, err := l.freePort()
	if err != nil {
		return nil, err
	}
	var valid []string
	for _, g := range guessable(guesses) {
		if g.valid {
			valid = append(valid, "{"+g.name+"=x}")
		}
	}
	dir := filepath.Join(l.dir, name)
	err = l.configurePostfix(dir, slices.Concat([]string{
		"mydestination = " + hostName,
		"local_recipient_maps = inline:{" + strings.Join(valid, ", ") + "}",
		"local_transport = discard:",
		// Its processes stay, so that their CPU time can be asked for.
		"max_use = 1000000",
		"max_idle = 1h",
		"ipc_idle = 1h",
		"ipc_ttl = 1h",
	}, parameters), []string{
		addr.String() + " inet n - n - - smtpd",
		"cleanup unix n - n - 0 cleanup",
		"qmgr unix n - n 300 1 qmgr",
		"rewrite unix - - n - - trivial-rewrite",
		"bounce unix - - n - 0 bounce",
		"defer unix - - n - 0 bounce",
		"discard unix - - n - - discard",
		"anvil unix - - n - 1 anvil",
		"proxymap unix - - n - - proxymap",
	})
	if err != nil {
		return nil, err
	}
	return l.postfixMaster(dir, addr)
}
