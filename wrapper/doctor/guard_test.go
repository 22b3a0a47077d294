package doctor

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"sendwrap/tests/lab"
)

const masterSMTPD = "smtp inet n - n - - smtpd\n"

// Lines of sendmail.cf and main.cf that name the guard are judged by what happens without it, and
// whether it answers.
func TestMTANamesTheGuard(t *testing.T) {
	queue := t.TempDir()
	unix := filepath.Join(t.TempDir(), "guard.sock")
	conf := "guard_listen unix:" + unix + "\n"
	cf := func(flags string) files {
		return files{"/etc/mail/sendmail.cf": "O Timeout.ident=0\n" +
			"Xother, S=local:/run/other, F=T\nXsendwrap, S=local:" + unix + ", F=" + flags +
			", T=C:5s;S:5s;R:10s;E:10s\n"}
	}
	postfix := func(master, lines string) files {
		return files{masterCF: master, mainCF: "# settings\nsmtpd_milters = inet:127.0.0.1:9,\n" +
			"  unix:" + unix + "\n" + lines}
	}
	const guardSocket = "sendwrap-guard.socket"
	const empty = "F= (empty) in sendmail.mc"
	const accept = "milter_default_action = accept"
	const chrooted = "smtp inet n - y - - smtpd\n"
	for _, tt := range []struct {
		name            string
		conf            string
		machine         files
		required, write string // the line that insists, and what cures that
		unreach         string // the directory of the smtpd
		named           bool
	}{
		{"nobody names it", conf, files{"/etc/mail/sendmail.cf": "Xother, S=local:/run/other, " +
			"F=T\n"}, "", "", "", false},
		{"sendmail", conf, cf(""), "", "", "", true},
		{"sendmail refuses for now", conf, cf("T"), "/etc/mail/sendmail.cf:3", empty, "", true},
		{"sendmail refuses for good", conf, cf("R"), "/etc/mail/sendmail.cf:3", empty, "", true},
		{"over TCP", "guard_listen 127.0.0.1:8891\n", files{"/etc/mail/sendmail.cf": "Xsendwrap, " +
			"S=inet:8891@127.0.0.1, F=T, T=C:5s\n"}, "/etc/mail/sendmail.cf:1", empty, "", true},
		{"Postfix", conf, postfix(masterSMTPD, accept), "", "", "", true},
		{"Postfix by its default", conf, postfix(masterSMTPD, ""),
			masterCF + ":1", accept + " in main.cf", "", true},
		{"Postfix with its own action", conf, postfix(masterSMTPD+"  -o smtpd_milters={unix:"+unix+
			",default_action=accept}\n", ""), "", "", "", true},
		{"Postfix without it on port 25", conf, postfix(masterSMTPD+"  -o smtpd_milters=\n", ""),
			"", "", "", false},
		{"smtpd behind sendwrap", conf, postfix("", ""), mainCF, accept, "", true},
		{"in a chroot", conf, postfix(chrooted, accept), "", "", postfixQueue, true},
		{"in another chroot", conf, postfix(chrooted, accept+"\nqueue_directory = "+queue),
			"", "", queue, true},
		{"in a chroot that has it", "guard_listen unix:" + queue + "/guard.sock\n",
			files{masterCF: chrooted, mainCF: accept + "\nqueue_directory = " + queue +
				"\nsmtpd_milters=unix:guard.sock"}, "", "", "", true},
		{"by its unit", "guard_listen unix:/run/other/guard.sock\n", files{
			units + guardSocket: packaged(t, guardSocket,
				"ListenStream=/run/sendwrap/guard.sock", "ListenStream="+unix),
			units + "sockets.target.wants/" + guardSocket: "-> ../" + guardSocket,
			mainCF: "smtpd_milters = unix:" + unix + "\n" + accept}, "", "", "", true},
	} {
		s := site(t, tt.conf, tt.machine)
		s.units = s.Machine.Sockets()
		at := s.guardSocket()
		missing, required, unreach := "", "", ""
		if tt.required != "" {
			missing = tt.required + ": the MTA insists on the guard, and none answers at " +
				at.Address + "; start sendwrap guard"
			required = tt.required + ": the MTA insists on the guard; write " + tt.write
		}
		if tt.unreach != "" {
			unreach = masterCF + ":1: smtpd is in a chroot, " + tt.unreach + ", which does not " +
				"contain " + unix + "; write guard_listen unix:" + tt.unreach +
				"/sendwrap/guard.sock owner=postfix"
		}
		judge := func(when, missing, required string, dead bool) {
			for key, want := range map[string]string{"guard_missing": missing,
				"guard_required": required, "guard_unreachable": unreach} {
				if got := s.found(key); got != want {
					t.Errorf("%s, %s, %s: %q; want %q", tt.name, when, key, got, want)
				}
			}
			if got := s.found("guard_dead"); (got != "") != dead {
				t.Errorf("%s, %s, dead: %q", tt.name, when, got)
			}
		}
		judge("without a guard", missing, "", tt.named && tt.required == "")
		guard, err := net.Listen(at.Network, at.Address)
		if err != nil {
			t.Fatal(err)
		}
		judge("with a guard", "", required, false)
		guard.Close()
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
