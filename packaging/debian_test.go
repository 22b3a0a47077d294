package packaging

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// debian is a Debian of its own, with Debian's sendmail and inetd, which do not run yet, and a
// network of its own. Our package is in /root/sendwrap; there is no Go.
type debian struct {
	*testing.T
	*lab.Thread
	root  string   // in the thread's mounts
	enter []string // the command that enters it; nil = chroot(2)
}

// file is the name by which programs outside see a file of it.
func (d debian) file(name string) string {
	return filepath.Join(fmt.Sprintf("/proc/self/task/%d/root", d.ID), d.root, name)
}

func newDebian(t *testing.T, name string) debian {
	t.Helper()
	lab.Need(t, lab.NoNamespaces())
	lower := lab.Unpacked(name)
	if lab.Lack(lower+"/etc/mail/m4/busy.m4") != "" {
		lab.Need(t, "no Debian to install in (tests/setup.sh makes one, as root)")
	}
	thread, err := lab.NewThread(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	d := debian{T: t, Thread: thread, root: filepath.Join(dir, "root")}
	t.Cleanup(func() {
		d.end()
		thread.Close()
	})
	here := t.TempDir()
	write(t, filepath.Join(here, "sendwrap_test.deb"), read(t, deb(t, runtime.GOARCH)), 0o644)
	d.Do(func() { err = d.mount(dir, lower, here) })
	if err != nil {
		lab.Need(t, "no Debian of its own: "+err.Error())
	}
	write(t, d.file("etc/resolv.conf"), "", 0o644)
	return d
}

// mount makes d.root in dir: the tree that tests/setup.sh has installed, which stays as it is, with
// our package.
func (d debian) mount(dir, lower, here string) error {
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
		{"/dev/null", "dev/log", "", "", unix.MS_BIND}, // no syslogd of another machine
		{here, "root/sendwrap", "", "", unix.MS_BIND},
	} {
		to := filepath.Join(d.root, m.to)
		if m.to == "dev/log" && lab.Lack(to) != "" {
			continue
		}
		if err := unix.Mount(m.from, to, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.from, err)
		}
	}
	return lab.IP("link set lo up")
}

// must runs lines in the directory of the package, as root would in a shell, and returns their
// output.
func (d debian) must(lines string) (said string) {
	d.Helper()
	said, err := d.run(lines)
	if err != nil {
		d.Fatalf("%s: %v\n%s", lines, err, said)
	}
	return said
}

func (d debian) run(lines string) (said string, err error) {
	d.Helper()
	d.Logf("%s: %s", time.Now().Format(time.TimeOnly), lines)
	output, err := os.CreateTemp(d.TempDir(), "output") // daemons would keep a pipe
	if err != nil {
		d.Fatal(err)
	}
	defer output.Close()
	argv := append(slices.Clone(d.enter), "/bin/sh", "-ec", "cd /root/sendwrap\n"+lines)
	cmd := exec.Command(argv[0], argv[1:]...)
	if d.enter == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: d.root}
	}
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"LC_ALL=C",
		"DEBIAN_FRONTEND=noninteractive",
	}
	cmd.Stdout, cmd.Stderr = output, output
	d.Do(func() { err = cmd.Run() })
	return read(d.T, output.Name()), err
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
	if !strings.HasPrefix(said, ok+"policy: ") || strings.Contains(said, "something else") {
		d.Errorf("%s: check says %q", when, said)
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
