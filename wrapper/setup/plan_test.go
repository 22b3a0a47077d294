package setup

import (
	"strings"
	"testing"
)

// Each file gets its lines, and keeps all others.
func TestPlans(t *testing.T) {
	const open, local = "0.0.0.0:25 [::]:25 0.0.0.0:587", "127.0.0.1:25 [::1]:25 127.0.0.1:587"
	const observed = sendwrapConf + "\nmode observe\n"
	const withoutOffer = "pipelining_connect_advertise_hosts = :\n" +
		"# needed for the first week only\nsmtp_enforce_sync = false\n"
	const daemon, pause = "DAEMON_OPTIONS(`Family=inet,  Name=MTA", "FEATURE(`greet"
	offMC := strings.NewReplacer(daemon, "dnl "+daemon, pause, "dnl "+pause).Replace(mc)
	service, err := (&Site{Program: door, Packaging: siteWith(t, eximFiles(), nil).Packaging}).
		packaged("xinetd/sendwrap")
	if err != nil {
		t.Fatal(err)
	}
	bound := func(family, addr, id string) string {
		return strings.Replace(service, "\tflags\t\t= IPv6\n", "\tflags\t\t= "+family+
			"\n\tbind\t\t= "+addr+"\n\tid\t\t= smtp-"+id+"\n", 1)
	}
	const starts = " nowait.60000 root " + door + " sendwrap\n"
	for _, tt := range []struct {
		name    string
		files   map[string]string
		changes map[string]string
		at      string
		want    map[string]string
	}{
		{"sendmail and inetd", sendmailFiles(), nil, open, map[string]string{
			"/etc/sendwrap.conf": observed, "/etc/mail/sendmail.mc": offMC,
			"/etc/inetd.conf": inetdConf + "25 stream tcp" + starts,
		}},
		{"sendmail for the machine itself", sendmailFiles(), nil, local, map[string]string{
			"/etc/inetd.conf": inetdConf + "127.0.0.1:25 stream tcp4" + starts +
				"[::1]:25 stream tcp6" + starts,
		}},
		{"mode observe is there", sendmailFiles(),
			map[string]string{"etc/sendwrap.conf": "mode observe\n"}, open,
			map[string]string{"/etc/sendwrap.conf": ""}},
		{"Exim and xinetd", eximFiles(), nil, open, map[string]string{
			"/etc/sendwrap.conf": observed, "/etc/xinetd.d/sendwrap": service,
			"/etc/default/exim4": "QUEUERUNNER='combined'\nSMTPLISTENEROPTIONS=''\n" +
				"SMTPLISTENEROPTIONS='-oX 587 -oP /run/exim4/exim.pid'\n",
			"/etc/exim4/exim4.conf.localmacros": withoutOffer,
		}},
		{"Exim for the machine itself", eximFiles(), nil, local, map[string]string{
			"/etc/xinetd.d/sendwrap-1": bound("IPv4", "127.0.0.1", "1"),
			"/etc/xinetd.d/sendwrap-2": bound("IPv6", "::1", "2"),
			"/etc/xinetd.d/sendwrap":   "",
		}},
		{"Exim 4.98 in parts", eximFiles(), map[string]string{
			"etc/default/exim4": "EXIMSERVICE='-bdf -q5m'", "etc/init.d/exim4": "EXIMDAEMONOPTS",
			"etc/exim4/update-exim4.conf.conf": "dc_use_split_config='true'\n",
		}, open, map[string]string{
			"/etc/default/exim4": "EXIMSERVICE='-bdf -q5m'\n" +
				"EXIMDAEMONOPTS='-bd -q30m -oX 587 -oP /run/exim4/exim.pid'\n" +
				"EXIMSERVICE='-bdf -q5m -oX 587 -oP /run/exim4/exim.pid'\n",
			"/etc/exim4/conf.d/main/00_sendwrap": withoutOffer,
		}},
		{"xinetd's file of a package", eximFiles(), map[string]string{
			"etc/xinetd.d/sendwrap": "# mine\n" + strings.Replace(service, "= no", "= yes", 1),
		}, open, map[string]string{"/etc/xinetd.d/sendwrap": "# mine\n" + service}},
		{"systemd", sendmailFiles(), map[string]string{
			"usr/sbin/inetd": "-", "run/systemd/system/x": "",
		}, "192.0.2.1:25 [2001:db8::1]:25 0.0.0.0:587", map[string]string{
			"/etc/inetd.conf": "", "/etc/systemd/system/sendwrap.socket": "192.0.2.1:25\n" +
				"ListenStream=[2001:db8::1]:25\nBind",
			"/etc/systemd/system/sendwrap@.service": "ExecStart=-" + door + "\n",
		}},
		{"units of a package", sendmailFiles(), map[string]string{
			"usr/sbin/inetd": "-", "run/systemd/system/x": "",
			"usr/lib/systemd/system/sendwrap.socket":   "[Socket]\nListenStream=25\nAccept=yes\n",
			"usr/lib/systemd/system/sendwrap@.service": "[Service]\n",
		}, open, map[string]string{
			"/etc/systemd/system/sendwrap.socket": "", "/etc/systemd/system/sendwrap@.service": "",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := siteWith(t, tt.files, tt.changes)
			daemon := "sendmail-mta"
			if tt.files["usr/sbin/exim4"] != "" {
				daemon = "exim4"
			}
			s.listen(daemon, strings.Fields(tt.at)...)
			p, err := s.Plan()
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range tt.want {
				got := p.text(name)
				isPart := strings.HasPrefix(name, unitDir) && want != ""
				if got != want && (!isPart || !strings.Contains(got, want)) {
					t.Errorf("%s is to be\n%s\nwant\n%s", name, got, want)
				}
			}
		})
	}
}

// Each refusal names what was found, and what to do.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		what, want string
		files      map[string]string
		changes    map[string]string
		listens    string
	}{
		{"no MTA runs", "no program has port 25", sendmailFiles(), nil, ""},
		{"an unknown program", `port 25 is held by "nginx" (process 7)`, sendmailFiles(), nil,
			"nginx"},
		{"Postfix", `port 25 is held by "master" (process 7)`, sendmailFiles(), nil, "master"},
		{"another MTA", "is not the Exim that has port 25", sendmailFiles(), nil, "exim4"},
		{"sendwrap is there", "/etc/inetd.conf:1: sendwrap is started there", sendmailFiles(),
			map[string]string{"etc/inetd.conf": "smtp stream tcp nowait root " + door + " x\n"},
			"inetd"},
		{"inetd starts the MTA", "/etc/inetd.conf:1: inetd starts /usr/sbin/sendmail",
			sendmailFiles(), map[string]string{"etc/inetd.conf": "smtp stream tcp nowait root " +
				"/usr/sbin/sendmail x\n"}, "sendmail-mta"},
		{"another inetd", "no /etc/init.d/openbsd-inetd: setup knows no other", sendmailFiles(),
			map[string]string{"etc/init.d/openbsd-inetd": "-"}, "sendmail-mta"},
		{"no super-server", "no inetd, no xinetd, and systemd does not run", sendmailFiles(),
			map[string]string{"usr/sbin/inetd": "-"}, "sendmail-mta"},
		{"mode enforce", "/etc/sendwrap.conf:1: mode enforce; setup begins", sendmailFiles(),
			map[string]string{"etc/sendwrap.conf": "mode enforce\n"}, "sendmail-mta"},
		{"not Debian's", "this sendmail is not Debian's", sendmailFiles(),
			map[string]string{"usr/sbin/sendmailconfig": "-"}, "sendmail-mta"},
		{"hands off", "HANDS_OFF: sendmail.cf is all yours", sendmailFiles(),
			map[string]string{"etc/mail/sendmail.conf": "HANDS_OFF=\"Yes\";\n"}, "sendmail-mta"},
		{"sendmail by inetd", `DAEMON_MODE="inetd"`, sendmailFiles(),
			map[string]string{"etc/mail/sendmail.conf": "DAEMON_MODE=\"inetd\";\n"},
			"sendmail-mta"},
		{"sendmail.cf by hand", `sendmail.cf: has "O A=mine"`, sendmailFiles(),
			map[string]string{"etc/mail/sendmail.cf": "# made today\nO A=mine\n"},
			"sendmail-mta"},
		{"no port 587", "no line DAEMON_OPTIONS is for port 587", sendmailFiles(),
			map[string]string{"etc/mail/sendmail.mc": "DAEMON_OPTIONS(`P=25')dnl\n"},
			"sendmail-mta"},
		{"no port 25", "no line DAEMON_OPTIONS is for port 25", sendmailFiles(),
			map[string]string{"etc/mail/sendmail.mc": "DAEMON_OPTIONS(`P=587')dnl\n"},
			"sendmail-mta"},
		{"a line in two", "sendmail.mc:1: this line goes on", sendmailFiles(),
			map[string]string{"etc/mail/sendmail.mc": "DAEMON_OPTIONS(`P=25,\n A=::1')dnl\n"},
			"sendmail-mta"},
		{"Exim's own file", "this Exim does not go by", eximFiles(),
			map[string]string{"etc/exim4/exim4.conf": ""}, "exim4"},
		{"Exim's ports by hand", `is "-oX 25"; take -oX out, write its ports as`, eximFiles(),
			map[string]string{"etc/default/exim4": "SMTPLISTENEROPTIONS='-oX 25'\n"}, "exim4"},
		{"Exim's options with a comment", "setup knows plain options", eximFiles(),
			map[string]string{"etc/default/exim4": "SMTPLISTENEROPTIONS='-x' # mine\n"}, "exim4"},
		{"no Exim daemon", `QUEUERUNNER is "nodaemon"`, eximFiles(),
			map[string]string{"etc/default/exim4": "QUEUERUNNER='nodaemon'\n"}, "exim4"},
		{"xinetd serves port 25", "/etc/xinetd.d/smtp:1: xinetd starts /usr/sbin/exim4 -bs",
			eximFiles(), map[string]string{"etc/xinetd.d/smtp": "service smtp\n{\n" +
				"server = /usr/sbin/exim4\nserver_args = -bs\n}\n"}, "exim4"},
		{"xinetd's file is there", "/etc/xinetd.d/sendwrap: exists", eximFiles(),
			map[string]string{"etc/xinetd.d/sendwrap": "# nothing\n"}, "exim4"},
	} {
		s := siteWith(t, tt.files, tt.changes)
		if tt.listens != "" {
			s.listen(tt.listens, "[::]:25", "[::]:587")
		}
		if _, err := s.Plan(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.what, err, tt.want)
		}
	}
}

// Port 25 in parts that one super-server cannot have in the same way.
func TestPartsOfPort(t *testing.T) {
	for _, tt := range []struct{ first, second, at, want string }{
		{"192.0.2.1:25", "master", "127.0.0.1:25",
			`held at 192.0.2.1 by "sendmail-mta", and at 127.0.0.1 by "master" (process 7)`},
		{"127.0.0.1:25", "sendmail-mta", "[::]:25", "but for IPv4 at 127.0.0.1"},
		{"0.0.0.0:25", "sendmail-mta", "[::]:25", ""},
		{"[::]:25", "master", "127.0.0.1:587", ""},
	} {
		s := siteWith(t, sendmailFiles(), nil)
		s.listen("sendmail-mta", tt.first)
		s.listen(tt.second, tt.at)
		_, err := s.Plan()
		if (err == nil) != (tt.want == "") ||
			err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s and %s: %v; want %q", tt.first, tt.at, err, tt.want)
		}
	}
}
