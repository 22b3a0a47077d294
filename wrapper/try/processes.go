package try

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/wrapper/ledger"
)

// openSockets is how many sockets the room has besides the listening one: its clients'.
func (r *room) openSockets() int {
	n := 0
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.process.Pid))
	for _, name := range names {
		to, err := os.Readlink(name)
		if err == nil && strings.HasPrefix(to, "socket:") && to != r.socket {
			n++
		}
	}
	return n
}

// memory is the private memory of the room, in bytes; 0 if it is not known.
func (r *room) memory() (bytes int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", r.process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "Private_") {
			kB, _ := strconv.Atoi(f[1])
			bytes += kB << 10
		}
	}
	return bytes
}

// childrenOf are the child processes that a process has not waited for yet.
func childrenOf(parent int) (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		pid, rest, _ := strings.Cut(string(text), " ")
		f := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:]) // state, parent
		if len(f) > 1 && f[1] == strconv.Itoa(parent) {
			n, _ := strconv.Atoi(pid)
			pids = append(pids, n)
		}
	}
	return pids
}

// mtas are the MTAs that serve clients: the room's children, and those that the ledger counts,
// which may outlive the room.
func (r *room) mtas() (list []ledger.Process) {
	for _, pid := range childrenOf(r.process.Pid) {
		if p, err := ledger.Identify(pid); err == nil {
			list = append(list, p)
		}
	}
	_ = r.ledger.Do(ledger.Now(), func(t *ledger.Tx) {
		for _, s := range t.Sessions() {
			if !s.Process.Shared {
				list = append(list, s.Process)
			}
		}
	})
	return list
}

// killMTAs ends the processes, by SIGTERM or a moment later by SIGKILL.
func (r *room) killMTAs(list []ledger.Process) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for deadline := time.Now().Add(killDelay); ; time.Sleep(10 * time.Millisecond) {
			var alive []ledger.Process
			for _, p := range list {
				if p.Signal(sig) == nil {
					alive = append(alive, p)
				}
			}
			if list = alive; len(list) == 0 {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
	}
}
