package setup

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/allowlist"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/surroundings"
)

// A machine as Debian's packages leave it: all that a plan looks at.
const (
	mc = "include(`/usr/share/sendmail/cf/m4/cf.m4')dnl\n" +
		"FEATURE(`no_default_msa')dnl\n" +
		"dnl DAEMON_OPTIONS(`Family=inet6, Name=MTA-v6, Port=smtp, Addr=::1')dnl\n" +
		"DAEMON_OPTIONS(`Family=inet,  Name=MTA-v4, Port=smtp, Addr=127.0.0.1')dnl\n" +
		"DAEMON_OPTIONS(`Family=inet,  Name=MSP-v4, Port=submission, M=Ea, Addr=127.0.0.1')dnl\n" +
		"FEATURE(`greet_pause', `1000')dnl 1 seconds\n"
	sendwrapConf = "mta /usr/sbin/sendmail -Am -bs\nallow 127.0.0.0/8"
	inetdConf    = "#:MAIL: Mail\n" +
		"#<off># smtp\tstream\ttcp\tnowait\troot\t/usr/sbin/sendmail sendmail -Am -bs\n"
	door = "/opt/sbin/sendwrap"
)

func sendmailFiles() map[string]string {
	return map[string]string{
		"etc/sendwrap.conf": sendwrapConf, "etc/inetd.conf": inetdConf, "usr/sbin/inetd": "",
		"etc/init.d/openbsd-inetd": "",
		"usr/sbin/sendmail":        "submit.cf", "usr/sbin/sendmailconfig": "",
		"etc/mail/sendmail.mc": mc, "etc/mail/sendmail.cf": "# made today\nO A=b\n",
		"etc/mail/sendmail.conf": "DAEMON_MODE=\"Daemon\";\n",
	}
}

func eximFiles() map[string]string {
	return map[string]string{
		"etc/sendwrap.conf": sendwrapConf, "etc/xinetd.conf": "includedir /etc/xinetd.d\n",
		"usr/sbin/xinetd": "", "etc/xinetd.d/echo": "", "usr/sbin/exim4": "exim",
		"usr/sbin/sendmail":                "-> exim4",
		"etc/default/exim4":                "QUEUERUNNER='combined'\nSMTPLISTENEROPTIONS=''\n",
		"etc/exim4/update-exim4.conf.conf": "dc_use_split_config='false'\n",
	}
}

// siteWith is such a machine, with these changes; a file whose text is "-" is gone.
func siteWith(t *testing.T, files, changes map[string]string) *Site {
	t.Helper()
	s := &Site{Machine: surroundings.Machine{Root: t.TempDir()}, Program: door,
		Packaging: os.DirFS("../.."), Made: "# made now\nO A=b\n",
		Exim: map[string]string{eximPorts: "25:587", pipeconnect: "*"}}
	for name, text := range changes {
		files[name] = text
	}
	for name, text := range files {
		file := filepath.Join(s.Root, name)
		if text == "-" {
			continue
		}
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		if to, isLink := strings.CutPrefix(text, "-> "); isLink {
			err = errors.Join(err, os.Symlink(to, file))
		} else {
			err = errors.Join(err, os.WriteFile(file, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	s.Config, err = config.Load(filepath.Join(s.Root, "etc/sendwrap.conf"), allowlist.All())
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Files[0] = "/etc/sendwrap.conf"
	return s
}

// listen has a program listen there.
func (s *Site) listen(name string, at ...string) {
	for _, addr := range at {
		s.Listeners = append(s.Listeners, surroundings.Listener{
			Address:   netip.MustParseAddrPort(addr),
			Processes: []surroundings.Process{{PID: 7, Name: name}},
		})
	}
}

// text is the new content of a file in a plan; "" if the plan has none.
func (p *Plan) text(name string) string {
	for _, s := range p.Steps {
		if s.File != nil && s.File.Name == name {
			return s.File.Text
		}
	}
	return ""
}
