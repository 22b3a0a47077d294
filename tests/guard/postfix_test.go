package guard

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Postfix wants a user and a group of its own. prepare makes them in the namespace's own files: any ids will do that the
// machine does not use.
const (
	postfixUser  = "postfix"
	postfixGroup = "postdrop"
	postfixID    = 64001
)

// unpacked is where setup.sh puts Postfix, which cannot be installed beside sendmail.
func unpacked(path string) string {
	cache, _ := os.UserCacheDir()
	return filepath.Join(cache, "sendwrap-tests", "postfix", path)
}

// withPostfix is the texts of /etc/passwd and /etc/group with what Postfix wants, which may be there already.
func withPostfix() (map[string]string, error) {
	texts := map[string]string{}
	for file, line := range map[string]string{
		"/etc/passwd": fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n", postfixUser, postfixID),
		"/etc/group":  fmt.Sprintf("%s:x:%d:\n%s:x:%d:\n", postfixUser, postfixID, postfixGroup, postfixID+1),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts[file] = string(text)
		if !strings.Contains("\n"+texts[file], "\n"+postfixUser+":") {
			texts[file] += line
		}
	}
	return texts, nil
}

// postfixMain is main.cf. SITE is the site's directory, SHARED what it shares with others.
const postfixMain = `compatibility_level = 3.6
daemon_directory = UNPACKED/usr/lib/postfix/sbin
command_directory = UNPACKED/usr/sbin
queue_directory = SITE/queue
data_directory = SITE/data
mail_owner = postfix
setgid_group = postdrop
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
myhostname = mx.test
mydestination = mx.test
mynetworks =
alias_maps =
inet_protocols = all
local_recipient_maps = regexp:SITE/etc/recipients
local_transport = discard:
default_transport = discard:
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:SITE/etc/access
smtpd_milters = MILTER
milter_default_action = accept
milter_connect_timeout = PATIENT
milter_command_timeout = PATIENT
smtpd_tls_security_level = may
smtpd_tls_cert_file = SHARED/cert.pem
smtpd_tls_key_file = SHARED/key.pem
smtpd_sasl_auth_enable = yes
disable_vrfy_command = yes
# Its own limits on errors and connections must not be what ends an attack here.
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
smtpd_client_connection_count_limit = 0
in_flow_delay = 0
`

const postfixServices = `cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
`

func startPostfix(s *site) {
	t := s.t
	master := unpacked("usr/lib/postfix/sbin/master")
	if _, err := os.Stat(master); err != nil {
		need(t, err.Error())
	}
	for _, sub := range []string{"etc", "etc/sasl", "data", "queue"} {
		if err := os.Mkdir(s.file(sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "maildrop", "pid", "private",
		"public", "saved", "trace"} {
		if err := os.Mkdir(s.file("queue/"+sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"data", "queue/active", "queue/bounce", "queue/corrupt", "queue/defer", "queue/deferred", "queue/flush",
		"queue/hold", "queue/incoming", "queue/private", "queue/public", "queue/saved", "queue/trace"} {
		if err := os.Chown(s.file(sub), postfixID, -1); err != nil {
			t.Fatal(err)
		}
	}
	milter := "unix:" + s.socket()
	if s.tcp {
		milter = "inet:" + s.guardPort().String()
	}
	main := strings.NewReplacer("SHARED", workDir, "UNPACKED", unpacked("")).Replace(forSite(postfixMain, s.dir, milter, s.patient))
	services := postfixServices
	for _, at := range s.addrs() {
		services = at.String() + " inet n - n - - smtpd\n" + services
	}
	for name, text := range map[string]string{
		"main.cf":         main,
		"master.cf":       services,
		"sasl/smtpd.conf": saslConf,
		"recipients":      "/^(good[01][0-9][0-9]|owner)@/ x\n",
		"access":          "/^later/ 450 4.2.0 try again later\n",
	} {
		if err := os.WriteFile(s.file("etc/"+name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s.run("master.out", []string{"LD_LIBRARY_PATH=" + unpacked("usr/lib/postfix")}, master, "-d", "-c", s.file("etc"))
}
