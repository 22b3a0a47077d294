package guard

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sendwrap/tests/lab"
)

// site is a mail server with a guard of its own, for one test.
type site struct {
	options
	t    *testing.T
	kind kind
	dir  string
	port uint16

	guard *lab.Daemon
	began time.Time // when the guard was started
}

// kind is one of the MTAs that are tested.
type kind struct {
	name  string
	start func(*site)
}

var (
	// inetd starts sendwrap for each client, which becomes sendmail -bs.
	inetd = kind{"inetd", startUnder("inetd")}
	// room is inetd that starts one sendwrap for all, which starts sendmail -bs.
	room = kind{"room", startUnder("inetd-wait")}
	// daemon is sendmail -bD, which forks for each client.
	daemon = kind{"daemon", startSendmail}
	// postfix has processes that serve one client after another.
	postfix = kind{"postfix", startPostfix}

	kinds = []kind{inetd, daemon, postfix}
)

// options are what a test changes in its site.
type options struct {
	conf    string        // lines of sendwrap.conf; SITE is the site's directory
	before  func(*site)   // runs before anything is started
	patient time.Duration // how long the MTA waits for the guard; 0 is lab.Patience
	tcp     bool          // the guard listens for TCP
}

// everywhere runs a test with each of the MTAs, in each of the ways, in parallel.
func everywhere(t *testing.T, o options, test func(t *testing.T, s *site, w way)) {
	t.Helper()
	everySite(t, o, kinds, func(t *testing.T, s *site) { eachWay(t, s, test) })
}

// everySite runs a test with each of these MTAs.
func everySite(t *testing.T, o options, kinds []kind, test func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, k, o))
		})
	}
}

// eachWay runs a test in each of the ways.
func eachWay(t *testing.T, s *site, test func(t *testing.T, s *site, w way)) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			test(t, s, w)
		})
	}
}

// ports counts the ports handed out to sites.
var ports atomic.Uint32

func newSite(t *testing.T, k kind, o options) *site {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	dir, err := os.MkdirTemp(lab.Dir(), k.name)
	if err == nil {
		err = os.Chmod(dir, 0o755) // some processes of Postfix and sendmail are not root's
	}
	for _, sub := range []string{"run", "state"} {
		if err == nil {
			err = os.Mkdir(filepath.Join(dir, sub), 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	o.patient = cmp.Or(o.patient, lab.Patience)
	s := &site{options: o, t: t, kind: k, dir: dir, port: uint16(2500 + ports.Add(1))}
	t.Cleanup(func() {
		if t.Failed() {
			all := maillog.Matching(regexp.MustCompile("."))
			t.Logf("the mail log ends\n%s", strings.Join(all[max(0, len(all)-60):], "\n"))
		}
	})
	s.configure(o.conf)
	if o.before != nil {
		o.before(s)
	}
	s.startGuard()
	k.start(s)
	for _, at := range s.addrs() {
		lab.Eventually(t, "the MTA listens on "+at.String(),
			func() bool { return lab.Listening(at) })
	}
	return s
}

// patience is how long the MTA waits for the guard, in its configuration.
func (s *site) patience() string { return fmt.Sprintf("%.0fs", s.patient.Seconds()) }

func (s *site) file(name string) string { return filepath.Join(s.dir, name) }

// addrs are where the MTA listens.
func (s *site) addrs() (all []netip.AddrPort) {
	for _, a := range []netip.Addr{server4, server6, addr("127.0.0.1"), addr("::1")} {
		all = append(all, netip.AddrPortFrom(a, s.port))
	}
	return all
}

// addr is where the MTA listens for a client from this address.
func (s *site) addr(from netip.Addr) netip.AddrPort {
	all := s.addrs()
	if from.IsLoopback() {
		all = all[2:]
	}
	if from.Is6() {
		return all[1]
	}
	return all[0]
}

// configure writes sendwrap.conf.
func (s *site) configure(lines string) {
	s.t.Helper()
	listen := "unix:" + s.socket()
	switch {
	case s.tcp:
		listen = s.guardPort().String()
	case s.kind.name == postfix.name:
		listen += " owner=" + lab.PostfixUser
	}
	text := fmt.Sprintf("mta %s -C %s -Am -bs\nledger %s clients=4096\nguard_listen %s\n",
		lab.Sendmail, s.file("sendmail.cf"), s.file("state/ledger"), listen)
	// Unless the test sets them, the delays are short, and no client becomes known by waiting for
	// so short a time.
	for _, d := range []string{"greet_delay 0s", "bad_rcpt_delay 10ms", "remember 0"} {
		name, _, _ := strings.Cut(d, " ")
		if !regexp.MustCompile(`(?m)^` + name + ` `).MatchString(lines) {
			text += d + "\n"
		}
	}
	text += strings.ReplaceAll(lines, "SITE", s.dir) + "\n"
	if err := os.WriteFile(s.file("sendwrap.conf"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// run starts a program that runs until the test ends, with its output in the file out. Then all its
// processes are killed.
func (s *site) run(out string, cmd *exec.Cmd) *lab.Daemon {
	t := s.t
	t.Helper()
	cmd.Dir = s.dir
	d, err := lab.Start(cmd, s.file(out))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.KillAll()
		text, _ := os.ReadFile(s.file(out))
		if t.Failed() && len(text) > 0 || strings.Contains(string(text), "DATA RACE") {
			t.Errorf("%s: %.4000s", out, text)
		}
	})
	return d
}

// waitDelivered waits until a message is delivered: sendmail writes it into a file, once for all
// recipients; Postfix discards it, once for each.
func (s *site) waitDelivered(t *testing.T, m message) {
	t.Helper()
	if s.kind.name != postfix.name {
		lab.Eventually(t, m.subject+" is delivered", func() bool { return s.delivered(t, m) })
	} else if n := len(maillog.Wait(discarded(m), m.recipients)); n != m.recipients {
		t.Errorf("%s went to %d of %d recipients", m.subject, n, m.recipients)
	}
}

// delivered reports whether a message has been delivered to any recipient so far.
func (s *site) delivered(t *testing.T, m message) bool {
	t.Helper()
	if s.kind.name == postfix.name {
		return len(maillog.Matching(discarded(m))) > 0
	}
	text, err := os.ReadFile(s.file("box"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(text), "\nSubject: "+m.subject+"\n")
}

// discarded is what Postfix logs for each recipient of a message.
func discarded(m message) *regexp.Regexp {
	return regexp.MustCompile(`^mail.info postfix/discard\[\d+\]: ` + m.queue +
		`: to=.* status=sent`)
}
