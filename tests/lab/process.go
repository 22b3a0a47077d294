package lab

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ProcStat returns the fields of /proc/PID/stat behind the name (proc_pid_stat(5)): state, parent,
// …; none if there is no such process.
func ProcStat(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}

// State returns the letter of a process's state: R, S, D, T (stopped), Z; "" if there is no such
// process.
func State(pid int) string {
	if fields := ProcStat(pid); len(fields) > 0 {
		return fields[0]
	}
	return ""
}

// Running reports whether a process exists and is no zombie. One whose first thread is a zombie
// keeps its files until the others are gone.
func Running(pid int) bool {
	state := State(pid)
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return state != "" && (state != "Z" || len(threads) > 1)
}

// CPU returns the CPU time, user and system, that a process has used: the scheduler's exact sum for
// all its threads, including those that have ended, which /proc/PID/task would lack. An error means
// that there is no such process.
func CPU(pid int) (time.Duration, error) {
	// CPUCLOCK_SCHED, see clock_getcpuclockid(3) and the kernel's posix-timers_types.h.
	const sched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(^int32(pid)<<3|sched, &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// Ancestors returns the process itself, its parent, and so on, without process 1.
func Ancestors(pid int) (pids []int) {
	for pid > 1 {
		pids = append(pids, pid)
		fields := ProcStat(pid)
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return pids
}

// Processes returns the pids of all processes for which ok holds.
func Processes(ok func(pid int) bool) (pids []int) {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil && ok(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Cmdline returns the words with which a process was started.
func Cmdline(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// Listening reports whether a program listens on an address, in the network of the calling thread.
// It asks the kernel: a connection would be a client.
func Listening(addr netip.AddrPort) bool {
	const listen = "0A" // TCP_LISTEN of the kernel's tcp_states.h
	table := "/proc/thread-self/net/tcp"
	if addr.Addr().Is6() {
		table += "6"
	}
	text, _ := os.ReadFile(table)
	want := KernelAddr(addr)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == want && f[3] == listen {
			return true
		}
	}
	return false
}

// KernelAddr is how /proc/net/tcp writes an address: words of 32 bits in the machine's own order,
// which is taken to be little-endian.
func KernelAddr(a netip.AddrPort) string {
	b := a.Addr().AsSlice()
	for word := range slices.Chunk(b, 4) {
		slices.Reverse(word)
	}
	return fmt.Sprintf("%X:%04X", b, a.Port())
}
