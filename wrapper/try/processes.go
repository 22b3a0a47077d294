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

// holds is how many sockets the room has open besides the listening one: its clients'.
func (r *room) holds() int {
	n := 0
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.process.Pid))
	for _, name := range names {
		if to, err := os.Readlink(name); err == nil && strings.HasPrefix(to, "socket:") && to != r.socket {
			n++
		}
	}
	return n
}

// memory is what the room has for itself, in bytes; 0 if that cannot be told.
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

// childrenOf are the processes that a process has started and not yet waited for.
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

// mtas are the processes of those who are served: the room's children, and whoever is left of them when it has ended,
// as the ledger counts them.
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

// killMTAs ends the processes: at SIGTERM, or a moment later.
func (r *room) killMTAs(list []ledger.Process) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		for deadline := time.Now().Add(mercy); ; time.Sleep(10 * time.Millisecond) {
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
