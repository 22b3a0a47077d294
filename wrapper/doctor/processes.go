package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"sendwrap/exec"
	"sendwrap/wrapper/surroundings"
)

// tcpserver is a process of tcpserver that starts sendwrap.
type tcpserver struct {
	surroundings.Tcpserver
	where string
}

func (s *Site) tcpservers() (all []tcpserver) {
	for _, p := range s.processes {
		if t, ok := surroundings.ParseTcpserver(p.Command); ok &&
			surroundings.Sendwrap(t.Program) != "" && p.IsHere() {
			all = append(all, tcpserver{t, fmt.Sprintf("process %d", p.PID)})
		}
	}
	return all
}

// tcpserverConnections names those that have fewer connections than sendwrap allows. The default
// is 40.
func tcpserverConnections(s *Site) (all []Finding) {
	for _, t := range s.tcpservers() {
		value, found := t.Values['c']
		if !found {
			value = "40"
		}
		if n, _ := strconv.Atoi(value); n < s.sessions() {
			all = append(all, Finding{Where: t.where, What: "tcpserver -c " + value,
				Write: fmt.Sprintf("write -c %d", roomy(s.sessions()))})
		}
	}
	return all
}

// lookups names those that ask DNS and the client for names.
func lookups(s *Site) (all []Finding) {
	for _, t := range s.tcpservers() {
		missing := ""
		for _, flag := range "HR" {
			if !strings.ContainsRune(t.Flags, flag) {
				missing += " -" + string(flag)
			}
		}
		if t.Values['l'] == "" {
			missing += " -l0"
		}
		if missing != "" {
			all = append(all, Finding{Where: t.where, What: "tcpserver without" + missing,
				Write: "write" + missing})
		}
	}
	return all
}

// threads are those of a process that has a client in its greet delay, at least. An MTA has one.
const threads = 3

// tasks names super-servers whose processes for clients, all together, may have fewer threads than
// sendwrap's limits allow. systemd bounds them by default, so that a small machine has some 2000.
// Each client of a socket of systemd is a unit of its own.
func tasks(s *Site) (all []Finding) {
	least := threads*s.Config.MaxWaiting + s.Config.MaxSessions
	for _, p := range s.processes {
		if !slices.ContainsFunc(s.starters, func(one surroundings.Starter) bool {
			return one.On && !one.Room && one.By == p.Name && one.By != "systemd"
		}) || !p.IsHere() {
			continue
		}
		if limit := s.tasksIn(cgroupOf(p.PID)); limit > 0 && limit < least {
			all = append(all, Finding{Where: fmt.Sprintf("process %d", p.PID),
				What: fmt.Sprintf("%s may have %d threads, and max_waiting %d and max_sessions %d "+
					"need %d", p.Name, limit, s.Config.MaxWaiting, s.Config.MaxSessions, least),
				Write: fmt.Sprintf("write TasksMax=%d into its unit (systemctl edit), or a lower "+
					"max_waiting", 2*threads*roomy(s.sessions()))})
		}
	}
	return all
}

// cgroupOf is the cgroup (version 2) of a process, as /sys/fs/cgroup has it; / if it is not known.
func cgroupOf(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	_, group, _ := strings.Cut("\n"+string(text), "\n0::")
	group, _, _ = strings.Cut(group, "\n")
	return filepath.Join("/", group)
}

// tasksIn is how many threads there may be in a cgroup, by its own bound or one of those around it;
// 0 = as many as they like.
func (s *Site) tasksIn(group string) (most int) {
	for ; ; group = filepath.Dir(group) {
		text, _ := s.Machine.Text(filepath.Join("/sys/fs/cgroup", group, "pids.max"))
		n, err := strconv.Atoi(strings.TrimSpace(text)) // or it is max
		if err == nil && (most == 0 || n < most) {
			most = n
		}
		if group == "/" {
			return most
		}
	}
}

// descriptors names rooms that may open fewer descriptors than clients may wait. A room raises its
// own limit to the hard one.
func descriptors(s *Site) (all []Finding) {
	least := s.Config.RoomWaiting
	for _, p := range s.processes {
		if p.Name != exec.RoomName || !p.IsHere() {
			continue
		}
		if limit := filesOf(p.PID); limit > 0 && limit < least {
			all = append(all, Finding{Where: fmt.Sprintf("process %d", p.PID),
				What: fmt.Sprintf("the room may open %d descriptors, and max_waiting is room=%d",
					limit, least),
				Write: fmt.Sprintf("write LimitNOFILE=1024:%d, or ulimit -H -n %[1]d before it",
					2*least)})
		}
	}
	return all
}

// filesOf is how many files a process may open at most; 0 = not known, or as many as it likes.
func filesOf(pid int) int {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/limits")
	_, line, _ := strings.Cut(string(text), "\nMax open files")
	if words := strings.Fields(line); len(words) > 1 {
		n, _ := strconv.Atoi(words[1])
		return n
	}
	return 0
}
