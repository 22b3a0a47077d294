package guard

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// holderOf is the process that has the other end of a client's connection; 0 if there is none, or there are several.
func holderOf(client netip.AddrPort) int {
	socket := socketOf(client)
	if socket == "" {
		return 0
	}
	var holders []int
	names, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, name := range names {
		if target, err := os.Readlink(name); err != nil || target != socket {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil && !slices.Contains(holders, pid) {
			holders = append(holders, pid)
		}
	}
	if len(holders) != 1 {
		return 0
	}
	return holders[0]
}

// socketOf is the other end of a client's connection, as /proc names it; "" if there is none.
func socketOf(client netip.AddrPort) string {
	file := map[bool]string{false: "/proc/net/tcp", true: "/proc/net/tcp6"}[client.Addr().Is6()]
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	want := kernelAddr(client)
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Fields(line); len(f) > 9 && f[2] == want && f[9] != "0" {
			return "socket:[" + f[9] + "]"
		}
	}
	return ""
}

// kernelAddr is how /proc/net/tcp writes an address: each word of 32 bits in the machine's own order, which is taken to be
// little-endian.
func kernelAddr(a netip.AddrPort) string {
	b := a.Addr().AsSlice()
	for i := 0; i < len(b); i += 4 {
		slices.Reverse(b[i : i+4])
	}
	return fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(b)), a.Port())
}

// mtaOf is the process that has a client.
func mtaOf(t *testing.T, c *client) int {
	t.Helper()
	var pid int
	eventually(t, "a process has the client", func() bool {
		pid = holderOf(c.addr)
		return pid != 0
	})
	return pid
}

// runs says whether there is such a process, not yet a zombie.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, found := strings.Cut(string(text), ") ")
	return err == nil && found && !strings.HasPrefix(state, "Z") && unix.Kill(pid, 0) == nil
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}
