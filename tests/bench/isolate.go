package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// hostName is the machine's name inside: fully qualified, since sendmail sleeps
// for a minute at start if it is not.
const hostName = "mx.test"

// hostsDeny is where tcpd reads whom to refuse.
const hostsDeny = "/etc/hosts.deny"

// furnish makes the new namespaces fit to work in. It must only be called in
// those that isolate made: it mounts over /dev, /proc and files of /etc.
func furnish(dir string) error {
	if err := unix.Sethostname([]byte(hostName)); err != nil {
		return os.NewSyscallError("sethostname", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return &fs.PathError{Op: "make private", Path: "/", Err: err}
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return &fs.PathError{Op: "mount proc on", Path: "/proc", Err: err}
	}
	if err := furnishDev(); err != nil {
		return err
	}
	// Best effort: a burst of log lines finds room, as it does under journald.
	_ = os.WriteFile("/proc/sys/net/unix/max_dgram_qlen", []byte("512"), 0)
	// The room rows have a thousand clients connect before they are accepted.
	_ = os.WriteFile("/proc/sys/net/core/somaxconn", []byte("65535"), 0)
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	group, err := os.ReadFile("/etc/group")
	if err != nil {
		return err
	}
	for path, text := range map[string]string{
		"/etc/passwd":        addPostfix(string(passwd), "%[1]s:x:%[2]d:%[2]d::/nonexistent:/usr/sbin/nologin\n", postfixUser),
		"/etc/group":         addPostfix(string(group), "%s:x:%d:\n", postfixUser, postfixGroup),
		"/etc/hosts":         "127.0.0.1 " + hostName + " localhost\n",
		"/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\naliases: files\n",
		"/etc/hosts.allow":   "",
		hostsDeny:            "stub: ALL\n",
	} {
		if err := replace(dir, path, text); err != nil {
			return err
		}
	}
	return furnishLoopback()
}

// furnishDev mounts a /dev with the few devices that programs need, so that
// /dev/log can be ours.
func furnishDev() error {
	if err := unix.Mount("tmpfs", "/dev", "tmpfs", unix.MS_NOSUID|unix.MS_NOEXEC, "mode=755"); err != nil {
		return &fs.PathError{Op: "mount tmpfs on", Path: "/dev", Err: err}
	}
	for minor, name := range map[uint32]string{3: "null", 5: "zero", 8: "random", 9: "urandom"} {
		path := "/dev/" + name
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return &fs.PathError{Op: "mknod", Path: path, Err: err}
		}
	}
	return nil
}

// replace lets path hold text, in this mount namespace alone. A file that does
// not exist is left so: nothing then reads it, or reads it as empty.
func replace(dir, path, text string) error {
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	ours := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(ours, []byte(text), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(ours, path, "", unix.MS_BIND, ""); err != nil {
		return &fs.PathError{Op: "mount over", Path: path, Err: err}
	}
	return nil
}

// furnishLoopback brings lo up and gives it all of benchmarkClients.
func furnishLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	address := benchmarkClients.Addr().As4()
	mask := [4]byte{255, 254, 0, 0} // benchmarkClients.Bits()
	for _, step := range []struct {
		name    string
		request uint
		set     func(*unix.Ifreq) error
	}{
		{"lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error { r.SetUint16(unix.IFF_UP); return nil }},
		{"lo:1", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr(address[:]) }},
		{"lo:1", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr(mask[:]) }},
	} {
		r, err := unix.NewIfreq(step.name)
		if err == nil {
			err = step.set(r)
		}
		if err == nil {
			err = unix.IoctlIfreq(fd, step.request, r)
		}
		if err != nil {
			return fmt.Errorf("setting up %s: %w", step.name, err)
		}
	}
	return nil
}
