package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// clients are the networks from which clients of a Setup's machine may come. All of their addresses
// are the machine's own: those for documentation (RFC 5737, RFC 3849), for benchmarks (RFC 2544)
// and behind a translator (RFC 6052).
var clients = []string{
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15", "2001:db8::/32",
	"64:ff9b::/96",
}

// Postfix needs a user and a group of its own. Any ids will do that the machine does not use.
const (
	PostfixUser  = "postfix"
	postfixGroup = "postdrop"
	postfixID    = 64001
)

// LimitedUser is a user without any other process, for limits per user.
const (
	LimitedUser = "limited"
	LimitedID   = 64005
)

// prepare turns new namespaces into a mail server's machine: a full host name, no DNS, an
// unconfigured inetd and sendmail, a /dev with the usual devices, nothing in /run and /var/lib
// (where a ledger is by default), users for Postfix, Exim, OpenSMTPD and limits.
func prepare() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := unix.Sethostname([]byte(HostName)); err != nil {
		return fmt.Errorf("sethostname: %w", err)
	}
	if err := OwnMounts(); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n" +
			"127.0.1.1 " + HostName + " mx\n",
		"/etc/inetd.conf":       "",
		"/etc/mail/sendmail.cf": "",
		"/etc/nsswitch.conf":    switches,
		"/etc/resolv.conf":      "",
	} {
		if err := Cover(name, text); err != nil {
			return err
		}
	}
	if err := addUsers(); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"net/ipv6/ip_nonlocal_bind": "1",     // bind(2) then takes what is local by route only
		"net/core/somaxconn":        "65535", // thousands connect before the first is accepted
		"net/unix/max_dgram_qlen":   "4096",  // 10 would lose log lines when hundreds come at once
	} {
		// Not every kernel has all of them; the tests show whether one is needed.
		_ = os.WriteFile(filepath.Join("/proc/sys", name), []byte(value), 0)
	}
	return IP("link set lo up")
}

const switches = `passwd: files
group: files
hosts: files
services: files
protocols: files
aliases: files
`

// ClientsHere makes all addresses from which clients come local to the network namespace of the
// calling thread.
func ClientsHere() error {
	for _, network := range clients {
		route := fmt.Sprintf("%s route add local %s dev lo", family(network), network)
		if err := IP(route); err != nil {
			return err
		}
	}
	return nil
}

func family(network string) string {
	if strings.Contains(network, ":") {
		return "-6"
	}
	return "-4"
}

// addUsers adds them to /etc/passwd and /etc/group.
func addUsers() error {
	for file, lines := range map[string][]string{
		"/etc/passwd": {fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n",
			PostfixUser, postfixID),
			fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n", EximUser, eximID),
			fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n", openSMTPDUser,
				openSMTPDID),
			fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n", openSMTPDQueue,
				openSMTPDID+1),
			fmt.Sprintf("%s:x:%d:%[2]d::/nonexistent:/usr/sbin/nologin\n", LimitedUser, LimitedID)},
		"/etc/group": {fmt.Sprintf("%s:x:%d:\n", PostfixUser, postfixID),
			fmt.Sprintf("%s:x:%d:\n", postfixGroup, postfixID+1),
			fmt.Sprintf("%s:x:%d:\n", EximUser, eximID),
			fmt.Sprintf("%s:x:%d:\n", openSMTPDUser, openSMTPDID),
			fmt.Sprintf("%s:x:%d:\n", openSMTPDQueue, openSMTPDID+1),
			fmt.Sprintf("%s:x:%d:\n", LimitedUser, LimitedID)},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, line := range lines {
			name, _, _ := strings.Cut(line, ":")
			if !strings.Contains("\n"+string(text), "\n"+name+":") {
				text = append(text, line...)
			}
		}
		if err := Cover(file, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// Cover puts another text in the place of a file, in the mount namespace of the calling thread. It
// ignores a missing file. The text is in a file of Dir, which must stay: nothing can be mounted
// from a removed one.
func Cover(name, text string) error {
	f, err := os.CreateTemp(Dir(), "cover")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := unix.Mount(f.Name(), name, "", unix.MS_BIND, ""); err != nil && err != unix.ENOENT {
		return fmt.Errorf("mount over %s: %w", name, err)
	}
	return nil
}

// OwnMounts gives the mount namespace of the calling thread, which must not be the machine's, a
// /dev of the usual devices without /dev/log, and nothing in /run and /var/lib.
func OwnMounts() error {
	for _, dir := range []string{"/dev", "/run", "/var/lib"} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mount %s: %w", dir, err)
		}
	}
	defer unix.Umask(unix.Umask(0))
	for _, dev := range []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9},
		{"tty", 5, 0},
	} {
		number := int(unix.Mkdev(dev.major, dev.minor))
		if err := unix.Mknod("/dev/"+dev.name, unix.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("mknod /dev/%s: %w", dev.name, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "ptmx": "pts/ptmx", "stdin": "/proc/self/fd/0",
		"stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := os.Mkdir("/dev/pts", 0o755); err != nil {
		return err
	}
	const options = "newinstance,ptmxmode=0666"
	if err := unix.Mount("devpts", "/dev/pts", "devpts", 0, options); err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	return nil
}

// IP runs ip(8) with each line's words, in the network namespace of the calling thread.
func IP(lines ...string) error {
	for _, line := range lines {
		out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}
