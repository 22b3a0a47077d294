package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper/fileaccess"
	"sendwrap/wrapper/policy"
)

// listeners are the sockets that a service manager has passed, or else the one of guard_listen.
func (g *guard) listeners() ([]net.Listener, error) {
	fds, wrong := exec.Passed(checkListener)
	for _, text := range wrong {
		g.warn(text)
	}
	if len(fds) == 0 {
		g.at = g.config.Load().GuardListen
		l, err := listen(g.at)
		if err != nil {
			return nil, fmt.Errorf("guard_listen %v: %w", g.at, err)
		}
		return []net.Listener{l}, nil
	}
	var all []net.Listener
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "LISTEN_FDS")
		l, err := net.FileListener(f)
		f.Close() // the listener has a copy
		if err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	return all, nil
}

// checkListener returns why MTAs cannot connect to fd; nil if they can.
func checkListener(fd int) error {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return errors.New("is not a socket")
	}
	kind, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	listening, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	switch {
	case domain != unix.AF_UNIX && domain != unix.AF_INET && domain != unix.AF_INET6,
		kind != unix.SOCK_STREAM:
		return errors.New("is not a stream socket; write ListenStream=/run/sendwrap/guard.sock")
	case listening == 0:
		return errors.New("is a connection, not a listening socket; write Accept=no")
	}
	return nil
}

// listen opens the socket on which MTAs arrive. Only its owner can connect to a local one: a
// process that connects can have any network blocked.
func listen(at policy.Listen) (net.Listener, error) {
	if at.Network != "unix" {
		return net.Listen(at.Network, at.Address)
	}
	uid, err := owner(at)
	if err != nil {
		return nil, err
	}
	if err := clearWay(at.Address); err != nil {
		return nil, err
	}
	defer syscall.Umask(syscall.Umask(0o177)) // from its first moment on
	l, err := net.Listen("unix", at.Address)
	if err == nil && uid >= 0 {
		if err = os.Lchown(at.Address, uid, -1); err != nil {
			l.Close()
		}
	}
	return l, err
}

// CheckListen returns why the guard could not listen there, as far as users and files show; nil if
// it could. It makes nothing.
func CheckListen(at policy.Listen) error {
	if at.Network != "unix" {
		return nil
	}
	if _, err := owner(at); err != nil {
		return err
	}
	_, err := checkPlace(at.Address)
	if errors.Is(err, fs.ErrNotExist) {
		return fileaccess.CheckMakeable(filepath.Dir(at.Address), socketDirMode)
	}
	return err
}

// socketDirMode lets the MTA's user reach the socket.
const socketDirMode = 0o755

// clearWay makes the socket's directory if only the last step is missing, and removes a socket that
// a guard has left there when it was killed. Anything else in its place stays.
func clearWay(path string) error {
	dir := filepath.Dir(path)
	if err := os.Mkdir(dir, socketDirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w; make %s first", err, filepath.Dir(dir))
	}
	if found, err := checkPlace(path); err != nil || !found {
		return err
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("%s: another guard listens there; stop that one first", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// checkPlace looks whether a socket is at path. It is an error if others could put a socket of
// theirs there, or if something else is there.
func checkPlace(path string) (found bool, err error) {
	dir := filepath.Dir(path)
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return false, &os.PathError{Op: "stat", Path: dir, Err: err}
	}
	fault := fileaccess.CheckMode(dir, &st, fileaccess.Writable, "chmod 0755 it")
	if fault != nil && !fileaccess.IsSticky(&st) {
		return false, fault
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err == nil && info.Mode().Type() != fs.ModeSocket:
		err = fmt.Errorf("%s: is not a socket; name another place in guard_listen", path)
	}
	return err == nil, err
}

// owner is the user who may connect to the socket; -1 is our own user.
func owner(at policy.Listen) (uid int, err error) {
	if at.Owner == "" {
		return -1, nil
	}
	if uid, err = lookup(at.Owner); err != nil {
		err = fmt.Errorf("owner=%s: %w; name one of /etc/passwd", at.Owner, err)
	}
	return uid, err
}

// lookup is the number of a user that /etc/passwd knows, or that is a number already.
func lookup(name string) (int, error) {
	// 31 bits: -1 would leave the owner unchanged.
	if uid, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(uid), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// acceptPause follows a failure of accept: the kernel had no descriptor or memory.
const acceptPause = 100 * time.Millisecond

// accept starts a session for each connection, until the listener is closed.
func (g *guard) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case err == nil && g.admit():
			g.startSession(c)
		case err == nil:
			_ = c.Close() // the MTA goes on without the guard
			g.remarks.note("more sessions than there are descriptors for; raise LimitNOFILE")
		case errors.Is(err, net.ErrClosed):
			return
		default:
			g.remarks.note(err.Error())
			g.sleep(acceptPause)
		}
	}
}
