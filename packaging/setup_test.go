package packaging

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// setup puts sendwrap in front of real daemons, and takes it away: sendmail and Exim, under inetd
// and xinetd. Mail comes before, between and after.
func TestSetup(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"debian12", "debian13"} {
		for _, mta := range []string{"sendmail", "exim4"} {
			t.Run(name+"/"+mta, func(t *testing.T) {
				t.Parallel()
				s := newSetup(t, name, mta)
				s.goesBothWays("inetd")
				if name == "debian12" {
					s.isInterrupted()
				}
				s.must("service openbsd-inetd stop; " + aptInstall + "xinetd")
				s.goesBothWays("xinetd")
			})
		}
	}
}

// aptInstall installs packages that tests/setup.sh has downloaded.
const aptInstall = "apt-get install -q -y --no-install-recommends --no-download "

// setupSite is a Debian with an MTA that has ports 25 and 587, and our package.
type setupSite struct {
	debian
	mta   string
	mails int
}

func newSetup(t *testing.T, name, mta string) *setupSite {
	t.Helper()
	s := &setupSite{debian: newDebian(t, name), mta: mta}
	if packages, _ := os.ReadDir(s.file("var/cache/apt/archives")); len(packages) < 3 {
		lab.Need(t, "no packages in "+name+" to install there (tests/setup.sh downloads them)")
	}
	s.must("dpkg -i sendwrap_test.deb; useradd -m anna")
	if mta == "sendmail" {
		s.must("service sendmail start")
	} else {
		s.must(aptInstall + "exim4-daemon-light")
		s.must("echo 'daemon_smtp_ports = 25:587' >>/etc/exim4/exim4.conf.localmacros; " +
			"service exim4 restart")
	}
	return s
}

// goesBothWays has the starter get port 25, and give it back.
func (s *setupSite) goesBothWays(starter string) {
	s.Helper()
	s.goesBack(starter, s.comes(starter))
}

// comes has the starter get port 25, and returns what was in /etc before.
func (s *setupSite) comes(starter string) (before string) {
	s.Helper()
	before = s.etc()
	s.takesMail("before "+starter, false)
	said := s.must("sendwrap setup")
	for _, want := range []string{"25, which " + starter + " gets", "\n+mode observe\n",
		"\nThe way back:\n", "# /etc/sendwrap.conf: as before\n"} {
		if !strings.Contains(said, want) {
			s.Errorf("setup for %s says\n%s\nwant %q", starter, said, want)
		}
	}
	s.must("sendwrap setup -do")
	s.takesMail("by "+starter, true)
	if said := s.must("sendwrap check"); !strings.Contains(said, "mode observe: no client is") ||
		strings.Contains(said, "port 25 is held") {
		s.Errorf("under %s check says\n%s", starter, said)
	}
	return before
}

// goesBack has the MTA get port 25 again.
func (s *setupSite) goesBack(starter, before string) {
	s.Helper()
	s.must("sendwrap setup -undo")
	s.takesMail("after "+starter, false)
	if after := s.etc(); after != before {
		s.Errorf("after %s, /etc is\n%s\nwant\n%s", starter, after, before)
	}
}

// etc has checksums of all in /etc but what sendmailconfig makes.
func (s *setupSite) etc() string {
	s.Helper()
	return s.must("cd /etc; find . ! -type d ! -path './mail/*' ! -name sendmail " +
		"-printf '%p %M %U:%G %l\\n' | sort; " +
		"find . -type f ! -path './mail/*' ! -name sendmail -exec md5sum {} + | sort; " +
		"md5sum mail/sendmail.mc || :")
}

// takesMail checks that mail comes at ports 25 and 587, at port 25 by sendwrap or not.
func (s *setupSite) takesMail(when string, wrapped bool) {
	s.Helper()
	before := allowed(s.must("sendwrap status"))
	for _, port := range []uint16{25, 587} {
		s.mails++
		subject := fmt.Sprintf("mail %d %s", s.mails, when)
		c := s.dial(port)
		if port == 587 && s.mta == "sendmail" { // it wants a password there
			if got, err := c.Reply(); err != nil || !strings.HasPrefix(got, "220 ") {
				s.Errorf("%s: at port 587 a client reads %q, %v", when, got, err)
			}
			continue
		}
		for _, line := range []string{"", "HELO client.test", "MAIL FROM:<>",
			"RCPT TO:<anna@localhost>", "DATA", "Subject: " + subject + "\r\n\r\n.", "QUIT"} {
			got, err := "", error(nil)
			if line == "" {
				got, err = c.Reply()
			} else {
				got, err = c.Say(line)
			}
			if err != nil || !strings.HasPrefix(got, "2") && !strings.HasPrefix(got, "354") {
				s.Fatalf("%s: at port %d, %q is answered by %q, %v", when, port, line, got, err)
			}
		}
		lab.Eventually(s.T, when+", mail comes", func() bool {
			box, _ := os.ReadFile(s.file("var/mail/anna"))
			return strings.Contains(string(box), "\nSubject: "+subject+"\n")
		})
	}
	if came := allowed(s.must("sendwrap status")) != before; came != wrapped {
		s.Errorf("%s: that mail came by sendwrap: %v; want %v", when, came, wrapped)
	}
}

// isInterrupted kills setup while the MTA reads its new configuration, and takes it back.
func (s *setupSite) isInterrupted() {
	s.Helper()
	before := s.etc()
	s.must("sendwrap setup -do >/dev/null & until grep -qs ' reads that' " +
		"/var/lib/sendwrap/setup/journal; do kill -0 $!; sleep 0.1; done; kill -9 $! || :; " +
		"sendwrap setup -undo")
	s.takesMail("after it was killed", false)
	if after := s.etc(); after != before {
		s.Errorf("after it was killed, /etc is\n%s\nwant\n%s", after, before)
	}
}
