package packaging

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Under a systemd that runs the machine, setup has its sockets start sendwrap, and takes that back.
func TestSetupUnderSystemd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, mta string }{
		{"debian12", "sendmail"}, {"debian12", "exim4"}, {"debian13", "exim4"},
	} {
		t.Run(tt.name+"/"+tt.mta, func(t *testing.T) {
			t.Parallel()
			newBooted(t, tt.name, tt.mta).goesBothWays("systemd")
		})
	}
}

// newBooted is a Debian that systemd runs, without inetd.
func newBooted(t *testing.T, name, mta string) *setupSite {
	t.Helper()
	s := newSetup(t, name, mta)
	s.must("service " + mta + " stop; dpkg -r openbsd-inetd; " + aptInstall + "systemd")
	s.boot()
	s.must("systemctl enable --now " + mta)
	return s
}

// An upgrade and a removal leave a session alone; after a removal nobody has the port. Meanwhile
// the package's other services do their work.
func TestPackageUnderSystemd(t *testing.T) {
	t.Parallel()
	s := newBooted(t, "debian13", "sendmail")
	before := s.comes("systemd")
	session := s.session()
	s.must(again)
	s.goesOn(session, "an upgrade")
	s.takesMail("after an upgrade", true)
	s.goesBack("systemd", before)

	s.must("systemctl stop sendmail; systemctl enable --now sendwrap.socket")
	session = s.session() // by the package's own units
	s.servicesWork()
	// A copy stays, as setup writes one, and is started at the next boot.
	s.must("cd /usr/lib/systemd/system; " +
		"cp sendwrap.socket sendwrap@.service /etc/systemd/system; " +
		"dpkg -r sendwrap; systemctl daemon-reload; test -z \"$(pgrep sendwrap)\"; " +
		"! systemctl start sendwrap.socket")
	s.goesOn(session, "removal")
	s.Do(func() {
		if c, err := lab.Dial(loopback, netip.AddrPortFrom(loopback, 25)); err == nil {
			c.Close()
			s.Error("after removal somebody has port 25")
		}
	})
}

// servicesWork starts guard, share and metrics, and has the report sent, in the sandboxes of their
// units. An upgrade restarts them.
func (s *setupSite) servicesWork() {
	s.Helper()
	s.must("sed -n 's/^#\t\\(groupadd\\|chgrp\\|chmod\\) /\\1 /p' " +
		"/usr/lib/systemd/system/sendwrap-metrics.service | sh -e; " +
		"echo share_engine valkey://127.0.0.1 >>/etc/sendwrap.conf; " +
		"echo postmaster: root >>/etc/mail/aliases; newaliases; " +
		// So far there is nothing to report. That share has no engine is trouble.
		"systemctl start sendwrap-report; " +
		"systemctl start sendwrap-guard sendwrap-share sendwrap-metrics; " +
		"sendwrap block 192.0.2.7 1h; systemctl start sendwrap-report")
	for _, want := range []struct{ what, lines string }{
		{"metrics are served", `bash -c 'exec 3<>/dev/tcp/127.0.0.1/9725
			printf "GET /metrics HTTP/1.0\r\n\r\n" >&3; grep "^sendwrap_ledger_usable 1" <&3'`},
		{"the guard runs", "journalctl -q -o cat | grep 'guard: listening on '"},
		{"share looks for its engine", "journalctl -q -o cat | grep 'share: .* start the engine'"},
		{"one report comes", `test "$(grep -c '^Subject: sendwrap on ' /var/mail/root)" = 1`},
	} {
		if !lab.Await(func() bool {
			_, err := s.run(want.lines)
			return err == nil
		}) {
			said, _ := s.run("cat /var/mail/root; mailq -Ac; journalctl -q -n 100")
			s.Fatalf("not in time: %s\n%s", want.what, said)
		}
	}
	const three = " sendwrap-guard sendwrap-share sendwrap-metrics"
	older := s.must("systemctl show -P MainPID" + three)
	// Not with a "!": sh -e passes over it, unless it is the last.
	s.must("test -z \"$(systemctl show -P NRestarts" + three + " | grep [1-9])\"; " + again)
	newer := strings.Fields(s.must("systemctl show -P MainPID" + three))
	for i, pid := range strings.Fields(older) {
		if pid == "0" || newer[i] == "0" || newer[i] == pid {
			s.Errorf("guard, share and metrics were %q, and are %q after an upgrade", older, newer)
		}
	}
}

// goesOn wants an answer in the session.
func (s *setupSite) goesOn(session *lab.Client, after string) {
	s.Helper()
	if got, err := session.Say("NOOP"); err != nil || !strings.HasPrefix(got, "250 ") {
		said, _ := s.run("journalctl -q -n 60; ps ax")
		s.Errorf("after %s the session reads %q, %v\n%s", after, got, err, said)
	}
}

// boot makes Debian's systemd process 1 of pids of its own, with a part of the tree of cgroups. The
// argument is the directory of that part, the second Debian's root. What needs hardware is masked.
const boot = `echo 0 >"$0/cgroup.procs"
exec unshare --mount --pid --ipc --uts --cgroup --fork --kill-child /bin/sh -ec '
cd "$0"
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm
for one in null zero full random urandom tty; do
	touch dev/$one
	mount --bind /dev/$one dev/$one
done
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
echo 0123456789abcdef0123456789abcdef >etc/machine-id
cd etc/systemd/system
for unit in systemd-modules-load systemd-udevd systemd-udev-trigger systemd-logind getty@ \
	console-getty systemd-networkd systemd-timesyncd; do
	ln -sf /dev/null $unit.service
done
exec env -i container=sendwrap PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$0" \
	/usr/lib/systemd/systemd --log-target=journal --show-status=0 --unit=multi-user.target
' "$1"`

// boot starts systemd, and has it run what is run from now on. A kernel, or a container around the
// tests, may refuse it.
func (s *setupSite) boot() {
	s.Helper()
	group, err := s.cgroup()
	if err != nil {
		lab.NeedKernel(s, "no cgroup for a systemd: "+err.Error())
	}
	log := filepath.Join(s.TempDir(), "systemd.log")
	var init *lab.Daemon
	s.Do(func() { init, err = lab.Start(exec.Command("/bin/sh", "-ec", boot, group, s.root), log) })
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(init.KillAll)
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", init.PID())
	pid := ""
	lab.Await(func() bool {
		all, _ := os.ReadFile(children)
		pid = strings.TrimSpace(string(all))
		program, _ := os.Readlink("/proc/" + pid + "/exe")
		return init.Ended() || filepath.Base(program) == "systemd"
	})
	s.enter = []string{"nsenter", "-a", "-r", "-w", "-t", pid}
	const up = "for second in $(seq 240); do case $(systemctl is-system-running --wait) in " +
		"running | degraded) exit 0 ;; esac; sleep 1; done; exit 1"
	said, err := s.run(up)
	if err == nil {
		return
	}
	said = read(s.T, log) + said
	if init.Ended() || strings.Contains(said, "Freezing execution") {
		lab.NeedKernel(s, "no systemd of its own: "+said)
	}
	s.Fatalf("systemd is not up: %v\n%s", err, said)
}

// cgroup makes one that ends with the test.
func (s *setupSite) cgroup() (group string, err error) {
	dir := filepath.Join(filepath.Dir(s.root), "cgroup")
	s.Do(func() {
		if err = os.Mkdir(dir, 0o700); err == nil {
			err = unix.Mount("cgroup2", dir, "cgroup2", 0, "")
		}
		if err == nil {
			group, err = os.MkdirTemp(dir, filepath.Base(lab.Dir())) // 0700
		}
	})
	if err == nil {
		s.Cleanup(func() {
			lab.Eventually(s.T, "systemd's cgroups are empty", func() (ok bool) {
				s.Do(func() {
					ok = exec.Command("find", group, "-depth", "-type", "d", "-delete").Run() == nil
				})
				return ok
			})
		})
	}
	return group, err
}
