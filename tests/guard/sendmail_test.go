package guard

import (
	"fmt"
	"os"
	"os/exec"
	"strings"

	"sendwrap/tests/lab"
)

// sendmailExtras is what the tests' sendmail has in addition to lab's configuration: the guard,
// certificates, SMTP AUTH, a virtual domain, and recipients that are put off. SITE is the site's
// directory, SHARED the one that all sites share.
const sendmailExtras = `
INPUT_MAIL_FILTER(` + "`guard', `S=MILTER, F=, T=C:PATIENT;S:PATIENT;R:PATIENT;E:PATIENT'" + `)dnl
define(` + "`confDELIVERY_MODE', `interactive'" + `)dnl
define(` + "`confPRIVACY_FLAGS', `novrfy,noexpn'" + `)dnl
define(` + "`confCACERT', `SHARED/cert.pem'" + `)dnl
define(` + "`confCACERT_PATH', `SHARED'" + `)dnl
define(` + "`confSERVER_CERT', `SHARED/cert.pem'" + `)dnl
define(` + "`confSERVER_KEY', `SHARED/key.pem'" + `)dnl
define(` + "`confAUTH_MECHANISMS', `PLAIN'" + `)dnl
define(` + "`confAUTH_OPTIONS', `'" + `)dnl
TRUST_AUTH_MECH(` + "`PLAIN'" + `)dnl
FEATURE(` + "`virtusertable', `text -k0 -v1 SITE/virtusers'" + `)dnl
VIRTUSER_DOMAIN(` + "`virtual.test'" + `)dnl
LOCAL_RULESETS
SLocal_check_rcpt
R$* later $*		$#error $@ 4.2.0 $: "451 try again later"
`

// virtusers is the virtual domain: its catch-all leads to an unknown local user. (sendmail does not
// show a milter the recipients that virtusertable itself rejects, with error:nouser.)
const virtusers = "known@virtual.test good001@mx.test\n@virtual.test nobody-of-that-name@mx.test\n"

// makeSendmail makes the site's sendmail. Its users are good000 to good199 and owner.
func makeSendmail(s *site) lab.SendmailSite {
	t := s.t
	t.Helper()
	lab.Need(t, lab.NoSendmail())
	milter := "local:" + s.socket()
	if s.tcp {
		milter = fmt.Sprintf("inet:%d@%v", s.guardPort().Port(), s.guardPort().Addr())
	}
	site := lab.SendmailSite{
		Dir: s.dir,
		Extras: strings.NewReplacer("SHARED", lab.Dir(), "MILTER", milter,
			"PATIENT", s.patience()).Replace(sendmailExtras),
		Boxes: map[string][]string{"box": append(names("good", 200), "owner")},
	}
	err := site.Make()
	if err == nil {
		err = os.WriteFile(s.file("virtusers"), []byte(virtusers), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func startSendmail(s *site) {
	argv := []string{"-C", makeSendmail(s).CF(), "-bD"}
	for _, at := range s.addrs() {
		family := map[bool]string{false: "inet", true: "inet6"}[at.Addr().Is6()]
		argv = append(argv, fmt.Sprintf("-ODaemonPortOptions=Port=%d,Addr=%v,Family=%s",
			at.Port(), at.Addr(), family))
	}
	s.run("sendmail.out", exec.Command(lab.Sendmail, argv...))
}

// startUnder starts sendwrap under a super-server, and sendmail -bs behind it.
func startUnder(super string) func(*site) {
	return func(s *site) {
		makeSendmail(s)
		argv, missing, err := lab.SuperServer(super, s.dir, s.addrs(),
			sendwrap, "-f", s.file("sendwrap.conf"))
		lab.Need(s.t, missing)
		if err != nil {
			s.t.Fatal(err)
		}
		s.run(super+".out", exec.Command(argv[0], argv[1:]...))
	}
}
