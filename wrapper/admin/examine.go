package admin

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
)

// errUnseen says that we may not look at the place of the ledger, so that nothing can be said about
// it.
var errUnseen = errors.New("run check as the user that sendwrap runs as")

// examine says why [ledger.Open] could not use or make a ledger at path: of what it would refuse,
// all that can be seen without making anything. It looks as the user who we are.
func examine(path string) error {
	dir := filepath.Dir(path)
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return makeable(dir)
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil:
		return fmt.Errorf("%w; name a place for it, such as /var/lib/sendwrap/ledger", err)
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory; name a place in one", dir)
	}
	if err := private(dir, info, 0o022, "put the ledger in a directory of its own, mode 0700"); err != nil {
		return err
	}
	file, err := os.Lstat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return writable(dir)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil:
		return fmt.Errorf("%w; name another place for the ledger", err)
	case !file.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file; name another place for the ledger", path)
	}
	if err := private(path, file, 0o077, "if it is the ledger, chmod 0600 it, else name another place"); err != nil {
		return err
	}
	if err := writable(path); err != nil {
		return err
	}
	return ledger.Refused(path)
}

// unusable says what of that which the configuration names outside itself could not be used, ledger
// and MTA apart, and where that is.
func unusable(c *config.Config) (all []error) {
	wrong := func(directive string, err error) {
		all = append(all, fmt.Errorf("%s: %s: %w", c.Place(directive), directive, err))
	}
	if c.OnBlock != nil {
		if err := startable("on_block", c.OnBlock[0]); err != nil {
			wrong("on_block", err)
		} else if err := exec.Trusted(c.OnBlock[0]); err != nil {
			wrong("on_block", err)
		}
	}
	if dir := c.Transcript.Dir; dir != "" {
		info, err := os.Lstat(dir)
		switch {
		case errors.Is(err, os.ErrNotExist):
			err = makeable(dir)
		case err == nil && !info.IsDir():
			err = fmt.Errorf("%s is not a directory; name one for transcripts alone", dir)
		case err == nil:
			err = private(dir, info, 0o022, "name a directory of the guard's own, mode 0700")
		}
		if err != nil && !errors.Is(err, errUnseen) {
			wrong("transcript", err)
		}
	}
	if name := c.GuardListen.Owner; name != "" {
		_, err := strconv.Atoi(name)
		if err != nil {
			_, err = user.Lookup(name)
		}
		if err != nil {
			const cure = "name one of /etc/passwd"
			wrong("guard_listen", fmt.Errorf("owner=%s: no such user; %s", name, cure))
		}
	}
	return all
}

// distrusted says by what somebody else than root and us could have any program run as the MTA, or
// any line in the configuration. Mail goes on all the same.
func distrusted(c *config.Config) (notes []string) {
	if err := exec.Trusted(c.MTA[0]); err != nil && !errors.Is(err, os.ErrNotExist) {
		notes = append(notes, fmt.Sprintf("%s: mta: %v", c.Place("mta"), err))
	}
	for _, file := range c.Files {
		if err := exec.Trusted(file); err != nil {
			notes = append(notes, fmt.Sprintf("%s: %v", file, err))
		}
	}
	return notes
}

// crowded says that the ledger has room for fewer sessions than the limits allow, and how many
// clients it must be for. What comes beyond that is refused as BUSY. A process each and a room are
// counted together, each against its own limit.
func crowded(c *config.Config) string {
	waiting, of := c.MaxWaiting, ""
	if c.RoomWaiting > waiting {
		waiting, of = c.RoomWaiting, "room="
	}
	room, wanted := ledger.SessionsFor(c.Ledger.Clients), c.MaxSessions+waiting
	if wanted <= room {
		return ""
	}
	return fmt.Sprintf("max_sessions %d and max_waiting %s%d are %d sessions, "+
		"but clients=%d has room for %d; write clients=%d",
		c.MaxSessions, of, waiting, wanted, c.Ledger.Clients, room, ledger.ClientsFor(wanted))
}

// localWaits says that nothing is said about loopback, from which mail of this machine's own comes.
func localWaits(c *config.Config) string {
	for _, own := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
		if c.Networks.Match(own).Access == allowlist.Unset {
			return "mail of this machine's own comes from 127.0.0.1 and ::1, and has to wait; " +
				"write allow 127.0.0.0/8 ::1"
		}
	}
	return ""
}

// makeable says why the ledger's directory could not be made: only the last one may be missing.
func makeable(dir string) error {
	parent := filepath.Dir(dir)
	info, err := os.Stat(parent)
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; %w", err, errUnseen)
	case err != nil || !info.IsDir():
		return fmt.Errorf("there is no directory %s; mkdir -p -m 0700 %s", parent, dir)
	}
	return writable(parent)
}

// private says why others could be at what only root and we may have.
func private(name string, info os.FileInfo, bits os.FileMode, cure string) error {
	if st, is := info.Sys().(*syscall.Stat_t); is && st.Uid != 0 && int(st.Uid) != unix.Geteuid() {
		return fmt.Errorf("%s belongs to uid %d; chown it to root, or run check as that user", name, st.Uid)
	}
	if info.Mode().Perm()&bits != 0 {
		return fmt.Errorf("%s: mode %#o lets others in; %s", name, info.Mode().Perm(), cure)
	}
	return nil
}

// writable says why name cannot be written to. Who is not root may not be who has to.
func writable(name string) error {
	err := unix.Faccessat(unix.AT_FDCWD, name, unix.W_OK, unix.AT_EACCESS)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission) && unix.Geteuid() != 0:
		return fmt.Errorf("%s: %w; %w", name, err, errUnseen)
	}
	return fmt.Errorf("%s cannot be written to: %w; name another place for the ledger", name, err)
}
