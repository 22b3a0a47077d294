package packaging

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Debian and sendmail in ten lines: the lines of OPERATIONS are carried out as they are printed.
// They still hold after sendmail is configured again, restarted and reconfigured by its package.
func TestDebianInTenLines(t *testing.T) {
	t.Parallel()
	d := newDebian(t)
	d.must("make install")
	said := d.must("sendwrap check")
	for _, want := range []string{
		"mta: greet_pause of /etc/mail/sendmail.cf: clients wait a second time",
		`note: port 25: it is held by "sendmail-mta" (process `,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("before, check says %q; want %q", said, want)
		}
	}

	page := read(t, "../docs/OPERATIONS.md")
	_, lines, _ := strings.Cut(page, "\n## Debian and sendmail in ten lines\n")
	_, lines, _ = strings.Cut(lines, "\n```sh\n")
	lines, _, closed := strings.Cut(lines, "```\n")
	if n := strings.Count(lines, "\n"); !closed || n != 10 {
		t.Fatalf("OPERATIONS has %d lines:\n%s\nwant ten", n, lines)
	}
	d.must(lines)
	d.works("after the ten lines")

	const reconfigure = "dpkg-reconfigure -f noninteractive "
	for _, tt := range []struct{ what, lines string }{
		{"the lines for the guard and VRFY, and sendmailconfig",
			"cat >>/etc/mail/sendmail.mc <<'END'\n" +
				indented(t, page, "INPUT_MAIL_FILTER(`sendwrap'") +
				indented(t, page, "define(`confPRIVACY_FLAGS', defn(") +
				"END\nyes '' | sendmailconfig"},
		{"a restart of sendmail", "service sendmail restart"},
		{"dpkg-reconfigure sendmail-base", reconfigure + "sendmail-base"},
		{"dpkg-reconfigure sendmail-bin", reconfigure + "sendmail-bin; service sendmail start"},
	} {
		d.must(tt.lines)
		d.restartInetd()
		d.works("after " + tt.what)
	}
	cf := read(t, d.file("etc/mail/sendmail.cf"))
	for _, want := range []string{
		"\nO PrivacyOptions=needmailhelo,", ",authwarnings,novrfy,noexpn\n", "\nXsendwrap, ",
	} {
		if !strings.Contains(cf, want) {
			t.Errorf("sendmail.cf lacks %q", want)
		}
	}

	// The obvious line, and what switches it off.
	inetd := d.file("etc/inetd.conf")
	const off = "this line is switched off; remove #<off>#, write 25"
	lost := replace(t, read(t, inetd), "\n25 stream ", "\nsmtp stream ")
	for _, tt := range []struct{ lines, want string }{
		{"true", "sendmail's package switches this line off at sendmailconfig and at upgrades; " +
			"write 25"},
		{"yes '' | sendmailconfig", off},
		{reconfigure + "sendmail-base", off},
		{"sed -i '/^DAEMON_MODE=/s/Daemon/none/' /etc/mail/sendmail.conf; service sendmail restart",
			off},
	} {
		write(t, inetd, lost, 0o644)
		d.must(tt.lines)
		said := d.must("sendwrap check")
		if !strings.Contains(said, "\nloses mail: /etc/inetd.conf:") ||
			!strings.Contains(said, tt.want) {
			t.Errorf("with smtp in inetd.conf, after %s check says\n%s\nwant %q", tt.lines, said,
				tt.want)
		}
	}
}

// indented returns the line of an indented block of OPERATIONS that begins with begins.
func indented(t *testing.T, text, begins string) string {
	t.Helper()
	_, line, found := strings.Cut(text, "\n    "+begins)
	if !found {
		t.Fatalf("OPERATIONS has no line %s", begins)
	}
	line, _, _ = strings.Cut(line, "\n")
	return begins + line + "\n"
}

// debian is a Debian of its own, with Debian's sendmail and inetd and a network of its own. make
// has built sendwrap in /root/sendwrap; there is no Go.
type debian struct {
	*testing.T
	*lab.Thread
	root string // in the thread's mounts
}

// file is the name by which programs outside see a file of it.
func (d debian) file(name string) string {
	return filepath.Join(fmt.Sprintf("/proc/self/task/%d/root", d.ID), d.root, name)
}

func newDebian(t *testing.T) debian {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	lower := lab.Unpacked("debian")
	if lab.Lack(lower+"/etc/mail/sendmail.cf") != "" {
		lab.Need(t, "no Debian to install in (tests/setup.sh makes one, as root)")
	}
	thread, err := lab.NewThread(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := debian{t, thread, filepath.Join(dir, "root")}
	t.Cleanup(func() {
		d.end()
		thread.Close()
	})
	source := newSource(t, "/usr/local")
	for name, built := range map[string]string{
		"sendwrap":      lab.Full(lab.Dir()),
		"sendwrap-door": filepath.Join(lab.Dir(), "sendwrap-door"),
	} {
		write(t, filepath.Join(source.dir, name), read(t, built), 0o755)
	}
	d.Do(func() { err = d.mount(dir, lower, source.dir) })
	if err != nil {
		lab.Need(t, "no Debian of its own: "+err.Error())
	}
	for name, text := range map[string]string{
		"hosts":       "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 " + lab.HostName + " mx\n",
		"resolv.conf": "",
	} {
		write(t, d.file("etc/"+name), text, 0o644)
	}
	// On a busy machine sendmail would close its ports, and queue its mail.
	const busy = "define(`confQUEUE_LA', `10000')dnl\ndefine(`confREFUSE_LA', `10000')dnl\n"
	for _, mc := range []string{d.file("etc/mail/sendmail.mc"), d.file("etc/mail/submit.mc")} {
		write(t, mc, read(t, mc)+busy, 0o644)
	}
	d.must("yes '' | sendmailconfig") // which starts it
	return d
}

// mount makes d.root in dir: the tree that tests/setup.sh has installed, which stays as it is, with
// sendwrap's source.
func (d debian) mount(dir, lower, source string) error {
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, name := range []string{d.root, work, filepath.Join(upper, "root/sendwrap")} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		from, to, kind, options string
		flags                   uintptr
	}{
		{"overlay", "", "overlay", "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work,
			0},
		{"/proc", "proc", "", "", unix.MS_BIND},
		{"/dev", "dev", "", "", unix.MS_BIND | unix.MS_REC},
		{source, "root/sendwrap", "", "", unix.MS_BIND},
	} {
		to := filepath.Join(d.root, m.to)
		if err := unix.Mount(m.from, to, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.from, err)
		}
	}
	return lab.IP("link set lo up")
}

// must runs lines in the directory of the source, as root would in a shell, and returns their
// output. Enter is pressed at each question.
func (d debian) must(lines string) (said string) {
	d.Helper()
	output, err := os.CreateTemp(d.TempDir(), "output") // daemons would keep a pipe
	if err != nil {
		d.Fatal(err)
	}
	defer output.Close()
	cmd := exec.Command("/bin/sh", "-ec", lines)
	cmd.Dir, cmd.SysProcAttr = "/root/sendwrap", &syscall.SysProcAttr{Chroot: d.root}
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"LC_ALL=C",
		"DEBIAN_FRONTEND=noninteractive",
	}
	cmd.Stdout, cmd.Stderr = output, output
	d.Do(func() { err = cmd.Run() })
	said = read(d.T, output.Name())
	if err != nil {
		d.Fatalf("%s: %v\n%s", lines, err, said)
	}
	return said
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func (d debian) listens(port uint16) (found bool) {
	d.Do(func() {
		found = lab.Listening(netip.AddrPortFrom(loopback, port)) ||
			lab.Listening(netip.AddrPortFrom(netip.IPv4Unspecified(), port))
	})
	return found
}

// restartInetd does it in two steps: Debian's script gives the old one a second to go.
func (d debian) restartInetd() {
	d.Helper()
	d.must("service openbsd-inetd stop")
	lab.Eventually(d.T, "inetd ends", func() bool { return !d.listens(25) })
	d.must("service openbsd-inetd start")
}

// works checks that sendwrap has port 25 and sendmail's daemon 587, that both greet, that mail of
// the machine itself comes by sendwrap, and that check has nothing to note.
func (d debian) works(when string) {
	d.Helper()
	for _, port := range []uint16{25, 587} {
		if !lab.Await(func() bool { return d.listens(port) }) {
			d.Errorf("%s: nobody has port %d", when, port)
			continue
		}
		var got string
		var err error
		d.Do(func() {
			var c *lab.Client
			if c, err = lab.Dial(loopback, netip.AddrPortFrom(loopback, port)); err == nil {
				defer c.Close()
				got, err = c.Reply()
			}
		})
		if err != nil || !strings.HasPrefix(got, "220 "+lab.HostName+" ESMTP Sendmail ") {
			d.Errorf("%s: at port %d a client reads %q, %v; want a greeting", when, port, got, err)
		}
	}
	before := allowed(d.must("sendwrap status"))
	d.must(`echo "Subject: ` + when + `" | sendmail root`)
	lab.Eventually(d.T, when+", mail of the machine itself comes", func() bool {
		box, _ := os.ReadFile(d.file("var/mail/root"))
		return strings.Contains(string(box), "\nSubject: "+when+"\n")
	})
	if after := allowed(d.must("sendwrap status")); after == before {
		d.Errorf("%s: that mail did not come by sendwrap: %q", when, after)
	}
	const ok = "ok: /etc/sendwrap.conf, 2 networks, mode observe: no client is refused\n"
	// Whether there is a policy yet depends on when the last client came.
	said := d.must("sendwrap check")
	if !strings.HasPrefix(said, ok+"policy: ") || strings.Contains(said, "something else") ||
		strings.Count(said, "\n") != 2 {
		d.Errorf("%s: check says %q", when, said)
	}
	// It has no syslogd here.
	if said := d.must("sendwrap doctor"); strings.Count(said, "\n  then: ") != 1 ||
		!strings.Contains(said, "\nnote: syslog\n") {
		d.Errorf("%s: doctor says %s", when, said)
	}
}

// allowed is the line of status on clients that are allowed.
func allowed(status string) string {
	for line := range strings.Lines(status) {
		if strings.Contains(line, "ALLOWED") {
			return line
		}
	}
	return ""
}

// end ends all that runs in the network of d.
func (d debian) end() {
	here, err := os.Readlink(fmt.Sprintf("/proc/self/task/%d/ns/net", d.ID))
	if err != nil {
		d.Error(err)
		return
	}
	left := func() []int {
		return lab.Processes(func(pid int) bool {
			network, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
			return network == here && pid != os.Getpid()
		})
	}
	lab.Eventually(d.T, "the processes of that Debian end", func() bool {
		pids := left()
		for _, pid := range pids {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
		return len(pids) == 0
	})
}
