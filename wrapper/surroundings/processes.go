package surroundings

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process is a process of this machine.
type Process struct {
	PID     int
	Name    string   // of its program, as /proc/PID/comm has it: 15 bytes at most
	Command []string // its command line; empty for a thread of the kernel
}

// maxCommand is how many bytes of a command line are read.
const maxCommand = 64 << 10

// Processes are all processes that /proc shows.
func Processes() (all []Process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			if p, found := process(pid); found {
				all = append(all, p)
			}
		}
	}
	return all
}

// IsHere reports whether a process has our network and our root directory. One that has not is in a
// container: no port of ours is its own. Where we may not look, it is here.
func (p Process) IsHere() bool {
	dir := "/proc/" + strconv.Itoa(p.PID)
	network, err := os.Readlink(dir + "/ns/net")
	if err != nil {
		return errors.Is(err, os.ErrPermission) // or else it has ended
	}
	root, err := os.Stat(dir + "/root")
	if err != nil {
		return errors.Is(err, os.ErrPermission)
	}
	ourNetwork, _ := os.Readlink("/proc/thread-self/ns/net")
	ourRoot, err := os.Stat("/")
	return err == nil && network == ourNetwork && os.SameFile(ourRoot, root)
}

// IsCredible reports whether a process can be what its name and its command line say, which anybody
// can choose: it is root's or our own user's, or has a port that root has opened for it, as a
// tcpserver that has become another user does.
func (p Process) IsCredible() bool {
	dir := "/proc/" + strconv.Itoa(p.PID)
	status, _ := os.ReadFile(dir + "/status")
	_, line, _ := strings.Cut(string(status), "\nUid:")
	words := strings.Fields(line)
	if len(words) == 0 {
		return false // it has ended
	}
	if own := strconv.Itoa(os.Getuid()); words[0] == "0" || words[0] == own {
		return true
	}
	return slices.ContainsFunc(Listeners(25, 465, 587), func(l Listener) bool {
		return slices.ContainsFunc(l.Processes, func(one Process) bool { return one.PID == p.PID })
	})
}

func process(pid int) (p Process, found bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	comm, err := os.ReadFile(dir + "/comm")
	if err != nil {
		return p, false // it has ended
	}
	command, _ := Here().read(dir+"/cmdline", maxCommand)
	p = Process{PID: pid, Name: strings.TrimSpace(string(comm))}
	if command != "" {
		p.Command = strings.Split(strings.TrimSuffix(command, "\x00"), "\x00")
	}
	return p, true
}
