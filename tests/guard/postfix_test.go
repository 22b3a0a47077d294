package guard

import (
	"os"

	"sendwrap/tests/lab"
)

// startPostfix starts a Postfix that discards all mail. Its users are good000 to good199
// and owner.
func startPostfix(s *site) {
	t := s.t
	lab.Need(t, lab.NoPostfix())
	milter := "unix:" + s.socket()
	if s.tcp {
		milter = "inet:" + s.guardPort().String()
	}
	site := lab.PostfixSite{Dir: s.dir, Main: []string{
		"mynetworks =",
		"local_recipient_maps = regexp:" + s.file("etc/recipients"),
		"local_transport = discard:",
		"default_transport = discard:",
		"smtpd_relay_restrictions = reject_unauth_destination",
		"smtpd_recipient_restrictions = check_recipient_access regexp:" + s.file("etc/access"),
		"smtpd_milters = " + milter,
		"milter_default_action = accept",
		"milter_connect_timeout = " + s.patience(),
		"milter_command_timeout = " + s.patience(),
		"smtpd_tls_security_level = may",
		"smtpd_tls_cert_file = " + inLab("cert.pem"),
		"smtpd_tls_key_file = " + inLab("key.pem"),
		"smtpd_sasl_auth_enable = yes",
		"disable_vrfy_command = yes",
		// Postfix's own limits on errors, idle time and connections must not end an attack here.
		"smtpd_error_sleep_time = 0",
		"smtpd_soft_error_limit = 1000",
		"smtpd_hard_error_limit = 1000",
		"smtpd_timeout = 1h",
		"smtpd_client_connection_count_limit = 0",
		"in_flow_delay = 0",
	}}
	for _, at := range s.addrs() {
		site.Master = append(site.Master, at.String()+" inet n - n - - smtpd")
	}
	site.Master = append(site.Master, lab.PostfixServices...)
	err := site.Make()
	if err == nil {
		err = os.Mkdir(s.file("etc/sasl"), 0o755)
	}
	for name, text := range map[string]string{
		"sasl/smtpd.conf": saslConf,
		"recipients":      "/^(good[01][0-9][0-9]|owner)@/ x\n",
		"access":          "/^later/ 450 4.2.0 try again later\n",
	} {
		if err == nil {
			err = os.WriteFile(s.file("etc/"+name), []byte(text), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	s.run("master.out", site.Command())
}
