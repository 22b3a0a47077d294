package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/wrapper/surroundings"
)

// The MTA of the mta line is there, and is one for clients.
func TestMTA(t *testing.T) {
	impostor := filepath.Join(t.TempDir(), "sendmail")
	text := []byte("\x7fELF the Postfix sendmail command")
	if err := os.WriteFile(impostor, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ mta, want string }{
		{"/bin/true", ""},
		{"/no/such/mta", "exec /no/such/mta: no such file or directory; write mta PROGRAM " +
			"ARG..., with the path of a program"},
		{impostor + " -bs", impostor + " is Postfix's, and ends with an error as root; write mta "},
	} {
		got := site(t, "mta "+tt.mta+"\n", nil).found("mta")
		want := "CONF:1: mta: " + tt.want
		if tt.want == "" && got != "" || tt.want != "" && !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q; want %q", tt.mta, got, want)
		}
	}
}

// A sendmail 8 without -Am reads submit.cf if there is one, and may have a greet delay of its own.
func TestSendmail(t *testing.T) {
	machine := files{
		"/usr/sbin/sendmail":             "-> /usr/libexec/sendmail/sendmail",
		"/usr/libexec/sendmail/sendmail": "\x7fELF\x00submit.cf\x00",
		"/usr/sbin/sendmail.sendmail":    "\x7fELF\x00submit.cf\x00", // of Fedora
		"/usr/sbin/other":                "\x7fELF", submitCF: "",
		"/etc/mail/sendmail.cf": "O Timeout.ident=0\n",
		"/site/pause.cf":        "SLocal_greet_pause\nSgreet_pause\nR$*\t$# 1000\n",
	}
	const submit = "CONF:1: mta: without -Am this sendmail reads /etc/mail/submit.cf, which is " +
		"not for a mail server; write mta /usr/sbin/sendmail -Am "
	const pause = "CONF:1: mta: greet_pause of /site/pause.cf; remove FEATURE(`greet_pause') " +
		"from sendmail.mc, and make pause.cf from it"
	for _, tt := range []struct{ mta, submit, pause string }{
		{"/usr/sbin/sendmail -Am -bs", "", ""},
		{"/usr/sbin/sendmail -bs", submit + "-bs", ""},
		{"/usr/sbin/sendmail -bs -O Timeout.ident=0", submit + "-bs -O Timeout.ident=0", ""},
		{"/usr/sbin/sendmail -C/etc/mail/sendmail.cf -bs", "", ""},
		{"/usr/sbin/sendmail -bm", "", ""},
		{"/usr/sbin/other -bs", "", ""},
		{"/no/such/sendmail -bs", "", ""},
		{"/usr/sbin/sendmail -C /site/pause.cf -bs", "", pause},
		{"/usr/sbin/sendmail -bs -C/site/pause.cf", "", pause},
		{"/usr/sbin/sendmail.sendmail -bs -C/site/pause.cf", "", pause},
		{"/usr/sbin/other -C /site/pause.cf", "", ""},
	} {
		s := site(t, "mta "+tt.mta+"\n", machine)
		if got := s.found("submit_cf"); got != tt.submit {
			t.Errorf("%s: %q; want %q", tt.mta, got, tt.submit)
		}
		if got := s.found("greet_pause"); got != tt.pause {
			t.Errorf("%s: %q; want %q", tt.mta, got, tt.pause)
		}
	}
	delete(machine, submitCF)
	if got := site(t, "mta /usr/sbin/sendmail -bs\n", machine).found("submit_cf"); got != "" {
		t.Errorf("without submit.cf: %q", got)
	}
}

// An Exim is recognized by its program, whatever its name, and asked with its own -C and -D.
func TestExim(t *testing.T) {
	dir := t.TempDir()
	program := func(name, script string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const option = `echo 'warning: something' >&2; echo "pipelining_connect_advertise_hosts = `
	const asked = "-C conf -DX=y -Cother -bP pipelining_connect_advertise_hosts"
	const write = "; write pipelining_connect_advertise_hosts = : into its main configuration, " +
		"and for a week smtp_enforce_sync = false"
	const offer = "CONF:1: mta: this Exim offers PIPECONNECT" + write
	const old = "echo pipelining_connect_advertise_hosts is not a known option; exit 1"
	const mute = "CONF:1: mta: this Exim does not say whether it offers PIPECONNECT " +
		"(exit status 1)" + write
	offers := program("exim4", `test "$*" = "`+asked+`" && `+option+`*"`)
	asSendmail := filepath.Join(dir, "sendmail")
	if err := os.Symlink(offers, asSendmail); err != nil {
		t.Fatal(err)
	}
	const arguments = " -C conf -bs -DX=y -Cother"
	for _, tt := range []struct{ name, mta, want string }{
		{"offers it", offers + arguments, offer},
		{"by another name", asSendmail + arguments, offer},
		{"does not", program("exim", option+`"`) + " -bs", ""},
		{"an old one", program("exim-4.80", old), ""},
		{"does not say", program("exim5", "exit 1") + " -bs", mute},
		{"none", program("qmail-smtpd", option+`*"`), ""},
	} {
		s := site(t, "mta "+tt.mta+"\n", nil)
		s.Machine = surroundings.Here()
		if got := s.found("pipeconnect"); got != tt.want {
			t.Errorf("%s: %q; want %q", tt.name, got, tt.want)
		}
	}
}

// Postfix and sendwrap cannot both have port 25. master.cf is Postfix's own.
func TestPostfixHasThePort(t *testing.T) {
	master, err := os.ReadFile("/usr/share/postfix/master.cf.dist")
	if err != nil {
		master = []byte("smtp      inet  n       -       n       -       -       smtpd\n" +
			"#smtp      inet  n       -       n       -       1       postscreen\n")
	}
	screened := strings.NewReplacer("\nsmtp  ", "\n#smtp  ", "\n#smtp  ", "\nsmtp  ").
		Replace("\n" + string(master))
	none := strings.ReplaceAll("\n"+string(master), "\nsmtp  ", "\n#smtp  ")
	const line = "25 stream tcp nowait.60000 root " + sendwrap + " sendwrap"
	const write = " is to have port 25, and so is sendwrap; put a # before this line, and " +
		"restart Postfix"
	for _, tt := range []struct{ master, inetd, want string }{
		{string(master), line, "Postfix's smtpd" + write},
		{screened, line, "Postfix's postscreen" + write},
		{none, line, ""}, {none + "submission inet n - n - - smtpd\n", line, ""},
		{string(master), "#" + line, ""},
	} {
		machine := inetd(tt.inetd)
		machine[masterCF] = tt.master
		s := site(t, "", machine)
		want := ""
		if tt.want != "" {
			want = s.lineOf(t, masterCF, "smtp  ") + ": " + tt.want
		}
		if got := s.found("postfix_port"); got != want {
			t.Errorf("got %q; want %q", got, want)
		}
	}
}
