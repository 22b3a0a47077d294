package doctor

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

const masterSMTPD = "smtp inet n - n - - smtpd\n"

// Lines of sendmail.cf and main.cf that name the guard are judged by what happens without it.
func TestMTANamesTheGuard(t *testing.T) {
	const filter = "Xsendwrap, S=local:/run/sendwrap/guard.sock, F=FLAGS, T=C:5s;S:5s;R:10s;E:10s\n"
	cf := func(flags string) files {
		return files{"/etc/mail/sendmail.cf": "O Timeout.ident=0\n" +
			"Xother, S=local:/run/other, F=T\n" + strings.Replace(filter, "FLAGS", flags, 1)}
	}
	postfix := func(master, lines string) files {
		return files{masterCF: master, mainCF: "# settings\nsmtpd_milters = inet:127.0.0.1:9,\n" +
			"  unix:/run/sendwrap/guard.sock\n" + lines}
	}
	const unix = "/run/sendwrap/guard.sock"
	const guardSocket = "sendwrap-guard.socket"
	const insists = ": the MTA insists on the guard; write "
	const accept = "milter_default_action = accept"
	const chrooted = "smtp inet n - y - - smtpd\n"
	for _, tt := range []struct {
		name     string
		conf     string
		machine  files
		required string
		unreach  bool
		named    bool
	}{
		{"nobody names it", "", files{"/etc/mail/sendmail.cf": "Xother, S=local:/run/other, F=T\n"},
			"", false, false},
		{"sendmail", "", cf(""), "", false, true},
		{"sendmail refuses for now", "", cf("T"),
			"/etc/mail/sendmail.cf:3" + insists + "F= (empty) in sendmail.mc", false, true},
		{"sendmail refuses for good", "", cf("R"),
			"/etc/mail/sendmail.cf:3" + insists + "F= (empty) in sendmail.mc", false, true},
		{"over TCP", "guard_listen 127.0.0.1:8891\n", files{"/etc/mail/sendmail.cf": "Xsendwrap, " +
			"S=inet:8891@127.0.0.1, F=T, T=C:5s\n"},
			"/etc/mail/sendmail.cf:1" + insists + "F= (empty) in sendmail.mc", false, true},
		{"Postfix", "", postfix(masterSMTPD, accept), "", false, true},
		{"Postfix by its default", "", postfix(masterSMTPD, ""),
			masterCF + ":1" + insists + accept + " in main.cf", false, true},
		{"Postfix with its own action", "", postfix(masterSMTPD+"  -o smtpd_milters={unix:"+unix+
			",default_action=accept}\n", ""), "", false, true},
		{"Postfix without it on port 25", "", postfix(masterSMTPD+"  -o smtpd_milters=\n", ""), "",
			false, false},
		{"smtpd behind sendwrap", "", postfix("", ""), mainCF + insists + accept, false, true},
		{"in a chroot", "", postfix(chrooted, accept), "", true, true},
		{"in a chroot that has it", "guard_listen unix:/var/spool/postfix/sendwrap/guard.sock\n",
			files{masterCF: chrooted, mainCF: accept + "\nsmtpd_milters=unix:sendwrap/guard.sock"},
			"", false, true},
		{"by its unit", "guard_listen unix:/run/other/guard.sock\n", files{
			units + guardSocket:                           packaged(t, guardSocket),
			units + "sockets.target.wants/" + guardSocket: "-> ../" + guardSocket,
			mainCF: "smtpd_milters = unix:" + unix + "\n" + accept}, "", false, true},
	} {
		s := site(t, tt.conf, tt.machine)
		if got := s.found("guard_required"); got != tt.required {
			t.Errorf("%s, required: %q; want %q", tt.name, got, tt.required)
		}
		if got := s.found("guard_unreachable"); (got != "") != tt.unreach {
			t.Errorf("%s, unreachable: %q", tt.name, got)
		}
		if got := s.found("guard_dead"); (got != "") != tt.named {
			t.Errorf("%s, dead: %q", tt.name, got)
		}
	}
}

// A guard is alive if it takes connections, whether or not its socket is left.
func TestGuardIsAlive(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "guard.sock")
	s := site(t, "guard_listen unix:"+path+"\n", files{mainCF: "milter_default_action = accept\n" +
		"smtpd_milters = unix:" + path + "\n", masterCF: masterSMTPD})
	want := masterCF + ":1: this names the guard, and none answers at " + path +
		"; start sendwrap guard, or remove this line"
	if got := s.found("guard_dead"); got != want {
		t.Errorf("without a socket: %q; want %q", got, want)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.found("guard_dead"); got != "" {
		t.Errorf("with a guard: %q", got)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if got := s.found("guard_dead"); got != want {
		t.Errorf("with the socket of a dead one: %q; want %q", got, want)
	}
}

// A guard that runs, and that no MTA names, is found by its name.
func TestGuardUnnamed(t *testing.T) {
	lab.Need(t, lab.NoNamespaces())
	named := files{"/etc/mail/sendmail.cf": "Xsendwrap, S=local:/run/sendwrap/guard.sock, F=\n"}
	const want = "/run/sendwrap/guard.sock: a guard runs, and neither sendmail.cf nor main.cf " +
		"names it; name it there: OPERATIONS, The guard"
	if got := site(t, "", nil).found("guard_unnamed"); got != "" {
		t.Errorf("without a guard: %q", got)
	}
	sleeping(t, "sendwrap-guard", lab.NeedProgram(t, "unshare"), "-n")
	if got := site(t, "", nil).found("guard_unnamed"); got != "" {
		t.Errorf("with that of a container: %q", got)
	}
	sleeping(t, "sendwrap-guard")
	for _, tt := range []struct {
		conf    string
		machine files
		want    string
	}{
		{"", nil, want}, {"", named, ""}, {"guard_listen 127.0.0.1:8891\n", nil, ""},
	} {
		if got := site(t, tt.conf, tt.machine).found("guard_unnamed"); got != tt.want {
			t.Errorf("%s, %v: %q; want %q", tt.conf, tt.machine, got, tt.want)
		}
	}
}

// sleeping starts a process of that name, by a command before it, and returns its pid.
func sleeping(t *testing.T, name string, before ...string) (pid int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	program, err := os.ReadFile("/bin/sleep")
	if err == nil {
		err = os.WriteFile(path, program, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return startNamed(t, name, append(before, path, "3600"))
}
