package packaging

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// startsNothing checks that the installed package has switched nothing on.
func (d debian) startsNothing() {
	d.Helper()
	inetd := "\n" + read(d.T, d.file("etc/inetd.conf"))
	const off = "\n#25\tstream\ttcp\tnowait.60000\troot\t/usr/sbin/sendwrap\tsendwrap\n"
	if strings.Count(inetd, "sendwrap\n") != 1 || !strings.Contains(inetd, off) {
		d.Errorf("the package makes this inetd.conf:\n%s\nwant one line of ours, and a # there",
			inetd)
	}
	said := d.must("pgrep --ns $$ --nslist net -a sendwrap || :; " +
		"find /etc/systemd -name '*sendwrap*'")
	if said != "" {
		d.Errorf("the package has started, or enabled:\n%s", said)
	}
}

// old installs the older package, again this commit's. sendwrap.conf stays as it is.
const (
	old   = "dpkg --force-confold -i /root/old.deb"
	again = "dpkg --force-confold -i sendwrap_test.deb"
)

// takesUpgrades goes back to an older package, and forward again, while clients are there.
func (d debian) takesUpgrades() {
	d.Helper()
	dir, err := packages()
	if err != nil {
		d.Fatal(err)
	}
	write(d.T, d.file("root/old.deb"), read(d.T, olderDeb(dir)), 0o644)
	edited := read(d.T, d.file("etc/sendwrap.conf"))
	d.must("sendwrap block 192.0.2.1 1d test")
	session := d.session()
	waits := d.startRoom()
	d.must("sendwrap guard -f /root/room.conf 2>/root/guard.log & sleep 0")
	lab.Eventually(d.T, "the guard serves", func() bool {
		_, err := os.Stat(d.file("root/guard.sock"))
		return err == nil
	})

	for i, tt := range []struct{ what, lines, kept string }{
		{"an upgrade backwards", old, edited},
		{"an upgrade", again, edited},
		{"an upgrade without sendwrap.conf", "rm /etc/sendwrap.conf; " + old, ""},
		{"an upgrade with a link",
			"ln -s ../root/mine.conf /etc/sendwrap.conf; " + again, edited},
	} {
		write(d.T, d.file("root/mine.conf"), edited, 0o644)
		write(d.T, d.file("var/lib/sendwrap/policy-0123456789abcdef"), "", 0o600)
		said := d.must(tt.lines)
		if !strings.Contains(said, " is a guard of the older version; restart it.") {
			d.Errorf("%s says\n%s\nwant the guard to be named", tt.what, said)
		}
		lab.Eventually(d.T, tt.what+": the room goes on as the new program", func() bool {
			return strings.Count(read(d.T, d.file("root/room.log")),
				"a new program has taken over 1 clients") == i+1
		})
		if got, err := session.Say("NOOP"); err != nil || !strings.HasPrefix(got, "250 ") {
			d.Errorf("%s: the session reads %q, %v", tt.what, got, err)
		}
		if conf, err := os.ReadFile(d.file("etc/sendwrap.conf")); string(conf) != tt.kept {
			d.Errorf("%s: sendwrap.conf is %q, %v", tt.what, conf, err)
		}
		if _, err := os.Stat(d.file("var/lib/sendwrap/policy-0123456789abcdef")); err == nil {
			d.Errorf("%s leaves a policy of the older program", tt.what)
		}
	}
	d.must("rm /etc/sendwrap.conf; cp /root/mine.conf /etc/sendwrap.conf")
	if said := d.must("sendwrap blocks"); !strings.Contains(said, "192.0.2.1") {
		d.Errorf("after upgrades the ledger has these blocks:\n%s", said)
	}
	d.works("after upgrades")
	d.tellsSystemd()
	d.keepsLedgers()
	d.fillsDisk()

	if err := waits.Send("EHLO bot.example"); err != nil {
		d.Fatal(err)
	}
	if got, err := waits.Reply(); err != nil || !strings.HasPrefix(got, "554 ") {
		d.Errorf("the client in the room, which speaks now, reads %q, %v", got, err)
	}
}

// tellsSystemd upgrades where systemd runs: it restarts the guard, and starts nothing. A program in
// its place writes down what it is asked.
func (d debian) tellsSystemd() {
	d.Helper()
	const systemctl = "/usr/local/sbin/systemctl"
	d.must("mkdir -p /run/systemd/system; " +
		"printf '#!/bin/sh\necho \"$@\" >>/root/asked\n' >" + systemctl + "; " +
		"chmod 755 " + systemctl)
	said := d.must(old + "; " + again)
	d.must("rm -r /run/systemd " + systemctl)
	const once = "--system daemon-reload\ntry-restart sendwrap-guard.service " +
		"sendwrap-share.service sendwrap-metrics.service\n"
	asked := strings.ReplaceAll(read(d.T, d.file("root/asked")),
		"--system daemon-reload\n--system daemon-reload\n", "--system daemon-reload\n")
	if asked != once+once || strings.Contains(said, "guard of the older version") {
		d.Errorf("an upgrade under systemd asks it\n%s\nand says\n%s\nwant it to ask\n%s", asked,
			said, once+once)
	}
}

// keepsLedgers has ledgers of other versions, as OPERATIONS says under "Upgrade". The next client
// carries an older one over. A newer one, after a way back, stays as it is until the newer program
// is there again; clients are served without it.
func (d debian) keepsLedgers() {
	d.Helper()
	const ledger = "/var/lib/sendwrap/ledger"
	version := func(now int) string { // the only byte that differs
		return fmt.Sprintf(`printf '\00%d' | dd of=%s bs=1 seek=8 conv=notrunc; `, now, ledger)
	}
	unread := func(command, want string) {
		d.Helper()
		if said, err := d.run(command); !strings.Contains(said, ledger+": is a ledger of "+want) ||
			err == nil {
			d.Errorf("%s: %v\n%s\nwant %q, and to fail", command, err, said, want)
		}
	}
	counted := func(when string) {
		d.Helper()
		status := strings.Join(strings.Fields(d.must("sendwrap status")), " ")
		if !strings.Contains(status, " BLOCKED 4 0 ") ||
			!strings.Contains(status, " FAILED 12 0 ") {
			d.Errorf("%s, status lacks what the older version has counted: %s", when, status)
		}
	}
	d.must("mv " + ledger + " /root/ledger")
	image := must(d.T, "gzip", "-dc", "../wrapper/ledger/testdata/ledger-v4.gz")
	write(d.T, d.file(ledger), image, 0o600)
	d.must(old + "; " + again)
	unread("sendwrap status", "version 4, which the next client's process carries over")
	d.session()
	counted("carried over")

	before := d.must(version(6) + old + " >/dev/null; md5sum <" + ledger)
	unread("sendwrap status", "version 6; this program writes 5; install the newer sendwrap again")
	unread("sendwrap block 192.0.2.2 1h", "version 6")
	unread("sendwrap check", "version 6")
	d.session()
	if after := d.must("md5sum <" + ledger); !strings.HasSuffix(before, after) {
		d.Errorf("a ledger of a newer version is %s, and then %s", before, after)
	}
	d.must(version(5) + again)
	counted("with the newer program again")
	d.must("mv /root/ledger " + ledger)
}

// session is one that sendmail has.
func (d debian) session() *lab.Client {
	d.Helper()
	c := d.dial(25)
	if got, err := c.Reply(); err != nil || !strings.HasPrefix(got, "220 ") {
		d.Fatalf("a client reads %q, %v", got, err)
	}
	return c
}

// startRoom starts a room on port 2525, with a client that waits. A room that has counted a client
// hears signals, too.
func (d debian) startRoom() (c *lab.Client) {
	d.Helper()
	write(d.T, d.file("root/room.conf"), "mta /bin/true\ngreet_delay 290s\nlog stderr\n"+
		"guard_listen unix:/root/guard.sock\nledger /root/state/ledger clients=1024\n", 0o644)
	d.must("sendwrap listen -f /root/room.conf 127.0.0.1:2525 2>/root/room.log & sleep 0")
	lab.Eventually(d.T, "the room listens", func() bool { return d.listens(2525) })
	c = d.dial(2525)
	lab.Eventually(d.T, "the client waits", func() bool {
		return strings.Contains(d.must("sendwrap status -f /root/room.conf -json"), `"waiting":1,`)
	})
	return c
}

func (d debian) dial(port uint16) (c *lab.Client) {
	d.Helper()
	var err error
	d.Do(func() { c, err = lab.Dial(loopback, netip.AddrPortFrom(loopback, port)) })
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { c.Close() })
	return c
}

// hasNoRoom installs on a full disk, first of all. What fails has nothing half done that the same
// command does not complete when there is space.
func (d debian) hasNoRoom() {
	d.Helper()
	d.space(6 << 20)
	said, err := d.run("dpkg -i sendwrap_test.deb")
	if err == nil || !strings.Contains(said, "No space left on device") {
		d.Errorf("the first installation on a full disk: %v\n%s", err, said)
	}
	if left := d.must("find /etc /usr /var/lib -xdev -name '*sendwrap*'"); left != "" {
		d.Errorf("the first installation on a full disk leaves\n%s", left)
	}
	// Full later: dpkg would fail before, but for the space of its own.
	d.space(1 << 30)
	d.must("dpkg --unpack sendwrap_test.deb")
	d.space(0)
	said, err = d.run("/var/lib/dpkg/info/sendwrap.postinst configure ''")
	if err == nil || !strings.Contains(said, "sendwrap has no line in /etc/inetd.conf") {
		d.Errorf("no space for a line in inetd.conf: %v\n%s", err, said)
	}
	d.space(1 << 30)
}

// fillsDisk has no room for an upgrade. What was there serves on, and a later upgrade succeeds.
func (d debian) fillsDisk() {
	d.Helper()
	d.space(6 << 20)
	if said, err := d.run(old); err == nil || !strings.Contains(said, "No space left on device") {
		d.Errorf("an upgrade on a full disk: %v\n%s", err, said)
	}
	d.works("after an upgrade on a full disk")
	d.space(1 << 30)
	d.must(old + "; " + again)
	d.works("after an upgrade when there is space again")
}

// space leaves that many bytes on the disk.
func (d debian) space(bytes uint64) {
	d.Helper()
	var err error
	d.Do(func() {
		var fs unix.Statfs_t
		top := filepath.Dir(d.root)
		if err = unix.Statfs(top, &fs); err == nil {
			used := (fs.Blocks - fs.Bfree) * uint64(fs.Bsize)
			size := "size=" + strconv.FormatUint(used+bytes, 10)
			err = unix.Mount("tmpfs", top, "tmpfs", unix.MS_REMOUNT, size)
		}
	})
	if err != nil {
		d.Fatal(err)
	}
}

// goesAway removes the package, installs it again, and purges it.
func (d debian) goesAway() {
	d.Helper()
	inetd, conf := d.file("etc/inetd.conf"), read(d.T, d.file("etc/sendwrap.conf"))
	session := d.session()
	// As setup writes it where the MTA has only some addresses. inetd reads it at the removal.
	d.must("sed -i 's/^25\t.*/&\\n127.0.0.1:&/' /etc/inetd.conf; dpkg -r sendwrap")
	lab.Eventually(d.T, "port 25 is closed, and the room ends", func() bool {
		return !d.listens(25) && !d.listens(2525)
	})
	if got, err := session.Say("NOOP"); err != nil || !strings.HasPrefix(got, "250 ") {
		d.Errorf("after removal the session reads %q, %v", got, err)
	}
	if text := read(d.T, inetd); !strings.Contains(text, "\n#<off># 25\t") ||
		!strings.Contains(text, "\n#<off># 127.0.0.1:25\t") {
		d.Errorf("after removal inetd.conf has\n%s\nwant our lines to be off", text)
	}
	if read(d.T, d.file("etc/sendwrap.conf")) != conf {
		d.Error("removal has changed sendwrap.conf")
	}

	d.must(again + "; update-inetd --enable 25")
	d.restartInetd()
	d.works("after it is installed again")
	if said := d.must("sendwrap blocks"); !strings.Contains(said, "192.0.2.1") {
		d.Errorf("after it is installed again the ledger has these blocks:\n%s", said)
	}

	// systemd's links go, but for that of a unit that is not the package's.
	const units = "/etc/systemd/system/"
	d.must("mkdir -p " + units + "sockets.target.wants; cd " + units + "sockets.target.wants; " +
		"touch ../mine-sendwrap.socket; ln -s ../mine-sendwrap.socket sendwrap-mine.socket; " +
		"ln -s /usr/lib/systemd/system/sendwrap.socket .; dpkg --purge sendwrap; " +
		"rm ../mine-sendwrap.socket sendwrap-mine.socket")
	left := d.must("grep sendwrap /etc/inetd.conf || :; " +
		"find / -xdev -name '*sendwrap*' ! -path '/root*' ! -path '/proc/*' ! -path '/tmp/*'")
	if left != "" {
		d.Errorf("purging leaves\n%s", left)
	}
}
