package guard

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sendwrap/tests/lab"
)

// mtaOf is the MTA process that serves a client.
func mtaOf(t *testing.T, c *client) (pid int) {
	t.Helper()
	lab.Eventually(t, "one process serves the client", func() bool {
		holders := holdersOf(c.Addr)
		if len(holders) == 1 { // there are two while a parent forks
			pid = holders[0]
		}
		return len(holders) == 1
	})
	return pid
}

// holdersOf are the processes that have the other end of a client's connection.
func holdersOf(client netip.AddrPort) []int {
	socket := socketOf(client)
	if socket == "" {
		return nil
	}
	return lab.Processes(func(pid int) bool {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		return slices.ContainsFunc(fds, func(fd string) bool {
			target, _ := os.Readlink(fd)
			return target == socket
		})
	})
}

// socketOf is the other end of a client's connection, as /proc names it; "" if there is none.
func socketOf(client netip.AddrPort) string {
	table := map[bool]string{false: "/proc/net/tcp", true: "/proc/net/tcp6"}[client.Addr().Is6()]
	text, _ := os.ReadFile(table)
	want := lab.KernelAddr(client)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 9 && f[2] == want && f[9] != "0" {
			return "socket:[" + f[9] + "]"
		}
	}
	return ""
}
