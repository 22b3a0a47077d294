package doctor

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist/rule"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/ledger"
	"sendwrap/wrapper/surroundings"
)

// ledgerSize says that the ledger has room for fewer sessions than the limits allow, and how many
// clients it must be for. Further sessions are refused as BUSY. Per-connection processes and a room
// are counted together, each against its own limit; that of the room matters where one runs, or
// where the administrator has set it.
func ledgerSize(s *Site) []Finding {
	c := s.Config
	waiting, of := c.MaxWaiting, ""
	if c.RoomWaiting > waiting &&
		(c.RoomWaiting != config.Default().RoomWaiting || s.Ledger.HasRoom()) {
		waiting, of = c.RoomWaiting, "room="
	}
	room, wanted := ledger.SessionsFor(c.Ledger.Clients), c.MaxSessions+waiting
	if wanted <= room {
		return nil
	}
	return one(s.at("ledger"), fmt.Sprintf("max_sessions %d and max_waiting %s%d are %d sessions, "+
		"but clients=%d has room for %d", c.MaxSessions, of, waiting, wanted, c.Ledger.Clients,
		room), fmt.Sprintf("write clients=%d", ledger.ClientsFor(wanted)))
}

// ledgerFault says why the ledger cannot be used or made.
func ledgerFault(s *Site) []Finding {
	err := ledger.Check(s.Config.Ledger.Path)
	if err == nil || os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) {
		return nil
	}
	what, write, found := strings.Cut(err.Error(), "; ")
	if !found {
		write = "name another place"
	}
	return one(s.at("ledger"), what, write)
}

// leastDisk is how many bytes must be free beside the ledger: for policies, and what else changes.
const leastDisk = 16 << 20

// disk says that the file system of the ledger is nearly full.
func disk(s *Site) []Finding {
	dir := filepath.Dir(s.Config.Ledger.Path)
	var fs unix.Statfs_t
	for unix.Statfs(dir, &fs) == unix.ENOENT && dir != "/" {
		dir = filepath.Dir(dir)
	}
	need := uint64(leastDisk)
	if _, err := os.Lstat(s.Config.Ledger.Path); errors.Is(err, os.ErrNotExist) {
		need += uint64(ledger.SizeFor(s.Config.Ledger.Clients))
	}
	free := fs.Bavail * uint64(fs.Bsize)
	if fs.Bsize == 0 || free >= need {
		return nil
	}
	return one(s.at("ledger"), fmt.Sprintf("%s has %d MiB left, and %d are needed", dir, free>>20,
		need>>20), "free some, or name another place")
}

// ours are the processes of sendwrap that live long.
func (s *Site) ours() (all []surroundings.Process) {
	for _, p := range s.processes {
		if strings.HasPrefix(p.Name, "sendwrap") && p.PID != os.Getpid() {
			all = append(all, p)
		}
	}
	return all
}

// bootID names processes of sendwrap that see another boot id than this one: a container manager
// may bind a file over the kernel's. What is there is another user's, and may be a FIFO.
func bootID(s *Site) (all []Finding) {
	const id = "/proc/sys/kernel/random/boot_id"
	own, found := surroundings.Here().Text(id)
	for _, p := range s.ours() {
		root := surroundings.Machine{Root: fmt.Sprintf("/proc/%d/root", p.PID)}
		if theirs, has := root.Text(id); found && has && theirs != own {
			all = append(all, Finding{Where: fmt.Sprintf("process %d", p.PID),
				What:  p.Name + " sees another boot id in " + id,
				Write: "bind nothing over that file"})
		}
	}
	return all
}

// timeNamespace names processes of sendwrap in a time namespace other than ours.
func timeNamespace(s *Site) (all []Finding) {
	own, _ := os.Readlink("/proc/self/ns/time")
	for _, p := range s.ours() {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/time", p.PID))
		if err == nil && own != "" && theirs != own {
			all = append(all, Finding{Where: fmt.Sprintf("process %d", p.PID),
				What:  p.Name + " has a clock of its own (time_namespaces(7))",
				Write: "start it without unshare -T"})
		}
	}
	return all
}

const (
	leastArrivals = 200 // of late, before their distribution says anything
	nearlyAll     = 95  // percent
)

// oneClient says that nearly all clients come from one private address: a container or a proxy that
// hides the others.
func oneClient(s *Site) []Finding {
	if s.Ledger == nil {
		return nil
	}
	total, most, who := 0, 0, netip.Prefix{}
	err := s.Ledger.Records(ledger.Now(), func(r *ledger.Record) {
		total += r.Arrivals
		if r.Arrivals > most {
			most, who = r.Arrivals, r.Network
		}
	})
	addr := who.Addr()
	if err != nil || total < leastArrivals || most*100 < total*nearlyAll ||
		!addr.IsPrivate() && !addr.IsLinkLocalUnicast() ||
		s.Config.Networks.Match(addr).Access == rule.Allow {
		return nil
	}
	return one(addr.String(), fmt.Sprintf("%d of %d clients of late have this private address, "+
		"which hides the others", most, total), "have the container or the proxy keep the "+
		"clients' addresses (host network, or no masquerading)")
}
