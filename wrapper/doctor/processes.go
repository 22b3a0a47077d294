package doctor

import (
	"fmt"
	"os"
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
