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

// Processes are those of root and of our own user that /proc shows, and those that have a port of
// mail, which root has opened for them: a tcpserver, for example, that has become another user.
// All others may call themselves what they like.
func Processes() (all []Process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || !isOurs(dir) {
			continue
		}
		if p, found := process(pid); found {
			all = append(all, p)
		}
	}
	for _, l := range Listeners(25, 465, 587) {
		for _, p := range l.Processes {
			known := func(other Process) bool { return other.PID == p.PID }
			if !slices.ContainsFunc(all, known) {
				all = append(all, p)
			}
		}
	}
	return all
}

// isOurs reports whether root has started a process, or our own user. Its effective user would not
// tell: every user may start a setuid program under any name.
func isOurs(dir string) bool {
	status, _ := os.ReadFile(dir + "/status")
	_, users, _ := strings.Cut(string(status), "\nUid:\t")
	user, _, _ := strings.Cut(users, "\t") // the real one
	return user == "0" || user == strconv.Itoa(os.Getuid())
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
