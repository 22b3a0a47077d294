package guard

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	realSendmail = "/usr/sbin/sendmail"
	sendmailCF   = "/usr/share/sendmail/cf/m4/cf.m4"
)

// sendmailExtras is what the sendmail of the tests has beside ../sendmail.mc: the guard, certificates, users who say who they are, a
// virtual domain, and recipients that are put off. SITE is the site's directory, SHARED what it shares with others.
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
FEATURE(` + "`virtusertable', `hash SHARED/sendmail/virtusers'" + `)dnl
VIRTUSER_DOMAIN(` + "`virtual.test'" + `)dnl
LOCAL_RULESETS
SLocal_check_rcpt
R$* later $*		$#error $@ 4.2.0 $: "451 try again later"
`

// virtusers is the virtual domain: who is not named in it is a local user that there is not. (sendmail does not tell a milter of
// those that virtusertable itself rejects, with error:nouser.)
const virtusers = "known@virtual.test good001@mx.test\n@virtual.test nobody-of-that-name@mx.test\n"

// sendmailShared is the configuration of all of them, with what is a site's own to be filled in; and it makes the
// recipients: good000 to good199 and owner, whose mail goes to a file.
var sendmailShared = sync.OnceValues(func() (string, error) {
	shared := filepath.Join(workDir, "sendmail")
	mc, err := os.ReadFile("../sendmail.mc")
	if err == nil {
		err = os.MkdirAll(shared+"/mqueue", 0o755)
	}
	if err != nil {
		return "", err
	}
	mc = []byte(strings.ReplaceAll(string(mc), "SITE/aliases", shared+"/aliases"))
	mc = []byte(strings.ReplaceAll(string(mc), "SITE/service.switch", shared+"/service.switch"))
	m4 := exec.Command("m4")
	m4.Stdin = strings.NewReader(string(mc) + strings.ReplaceAll(sendmailExtras, "SHARED", workDir))
	cf, err := m4.Output()
	if err != nil {
		return "", fmt.Errorf("m4: %w", err)
	}
	aliases := "postmaster: /dev/null\nMAILER-DAEMON: /dev/null\n"
	for _, name := range append(names("good", 200), "owner") {
		aliases += name + ": " + shared + "/box\n"
	}
	for name, text := range map[string]string{
		"aliases": aliases, "service.switch": "hosts files\naliases files\n", "box": "", "sendmail.cf": forSite(string(cf), shared, "local:/nonexistent", time.Second),
	} {
		if err := os.WriteFile(filepath.Join(shared, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	if err := os.Chown(shared+"/box", 1, 1); err != nil { // sendmail's default user
		return "", err
	}
	makemap := exec.Command("/usr/sbin/makemap", "hash", shared+"/virtusers")
	makemap.Stdin = strings.NewReader(virtusers)
	newaliases := exec.Command(realSendmail, "-C", shared+"/sendmail.cf", "-bi")
	for _, cmd := range []*exec.Cmd{makemap, newaliases} {
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w: %s", cmd, err, out)
		}
	}
	return string(cf), nil
})

// forSite fills in what is a site's own.
func forSite(text, dir, milter string, patient time.Duration) string {
	return strings.NewReplacer("SITE", dir, "MILTER", milter, "PATIENT", fmt.Sprintf("%.0fs", patient.Seconds())).Replace(text)
}

// makeSendmail makes the site's sendmail.cf and its queue.
func makeSendmail(s *site) {
	t := s.t
	t.Helper()
	for _, file := range []string{realSendmail, sendmailCF} {
		if _, err := os.Stat(file); err != nil {
			need(t, err.Error())
		}
	}
	cf, err := sendmailShared()
	if err != nil {
		t.Fatal(err)
	}
	milter := "local:" + s.socket()
	if s.tcp {
		milter = fmt.Sprintf("inet:%d@%v", s.guardPort().Port(), s.guardPort().Addr())
	}
	if err := os.WriteFile(s.file("sendmail.cf"), []byte(forSite(cf, s.dir, milter, s.patient)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.file("mqueue"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func startSendmail(s *site) {
	makeSendmail(s)
	argv := []string{realSendmail, "-C", s.file("sendmail.cf"), "-bD"}
	for _, at := range s.addrs() {
		family := "inet"
		if at.Addr().Is6() {
			family = "inet6"
		}
		argv = append(argv, fmt.Sprintf("-ODaemonPortOptions=Port=%d,Addr=%v,Family=%s", at.Port(), at.Addr(), family))
	}
	s.run("sendmail.out", nil, argv...)
}

func startInetd(s *site) {
	makeSendmail(s)
	program, err := exec.LookPath("inetd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/inetd")
	}
	if err != nil {
		need(s.t, err.Error())
	}
	var text string
	for _, at := range s.addrs() {
		family := map[bool]string{false: "tcp4", true: "tcp6"}[at.Addr().Is6()]
		text += fmt.Sprintf("%s stream %s nowait.100000 root %s sendwrap -f %s\n", at, family, sendwrap, s.file("sendwrap.conf"))
	}
	if err := os.WriteFile(s.file("inetd.conf"), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.run("inetd.out", nil, program, "-i", "-q", "4096", s.file("inetd.conf"))
}
