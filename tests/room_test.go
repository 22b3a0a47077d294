package tests

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// Where rooms say how they are, as to systemd (sd_notify(3)): so we learn which processes are rooms, and when one has read its
// configuration, whatever it logs and where.
const (
	notifyVar    = "NOTIFY_SOCKET"
	notifySocket = "/run/notify"
)

// rooms are what has said on a machine that it is one.
type rooms struct {
	machine *machine
	conn    *net.UnixConn
	visited bool // by a client

	mu    sync.Mutex
	list  []*aRoom          // in their order
	seen  map[string]string // the state of each configuration, when it was last looked at
	heard chan struct{}     // closed and replaced when a room has spoken
}

// aRoom is one of them.
type aRoom struct {
	pid   int
	conf  string
	read  string // the state in which the configuration was when it was read
	ready int    // times that it has said so
}

// listenRooms must run on the machine's thread.
func listenRooms(m *machine) (*rooms, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: notifySocket, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		}), err, os.Chmod(notifySocket, 0o666))
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	r := &rooms{machine: m, conn: conn, seen: map[string]string{}, heard: make(chan struct{})}
	go r.receive()
	return r, nil
}

func (r *rooms) receive() {
	text, control := make([]byte, 4096), make([]byte, 256)
	for {
		n, c, _, _, err := r.conn.ReadMsgUnix(text, control)
		if err != nil {
			return
		}
		messages, err := unix.ParseSocketControlMessage(control[:c])
		if err != nil || len(messages) == 0 || string(text[:n]) != "READY=1" {
			continue
		}
		if who, err := unix.ParseUnixCredentials(&messages[0]); err == nil {
			r.isReady(int(who.Pid))
		}
	}
}

// isReady notes that a room has read its configuration.
func (r *rooms) isReady(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.list, func(room *aRoom) bool { return room.pid == pid })
	if i < 0 {
		i = len(r.list)
		conf := "/etc/sendwrap.conf"
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if argv := strings.Split(string(cmdline), "\x00"); slices.Contains(argv, "-f") {
			conf = argv[slices.Index(argv, "-f")+1]
		}
		r.list = append(r.list, &aRoom{pid: pid, conf: conf, read: r.seen[conf]})
	}
	r.list[i].ready++
	close(r.heard)
	r.heard = make(chan struct{})
}

// living are the rooms that have not ended.
func (r *rooms) living() []*aRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(room *aRoom) bool { return !runs(room.pid) })
	return slices.Clone(r.list)
}

// of are the living rooms that a process has started, or has become.
func (r *rooms) of(ancestor int) (list []*aRoom) {
	for _, room := range r.living() {
		if slices.Contains(ancestors(room.pid), ancestor) {
			list = append(list, room)
		}
	}
	return list
}

// look notes the state of these configurations. Rooms that say so from here on have read that.
func (r *rooms) look(confs []string) {
	states := r.states(confs)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.seen, states)
}

func (r *rooms) states(confs []string) map[string]string {
	states := map[string]string{}
	r.machine.do(func() {
		for _, conf := range confs {
			states[conf] = state(conf, 16)
		}
	})
	return states
}

// refresh has each room read its configuration anew, if that has changed since it did, and waits until it has.
func (r *rooms) refresh(confs []string) error {
	states := r.states(confs)
	r.mu.Lock()
	changed, heard := !maps.Equal(states, r.seen), r.heard
	r.mu.Unlock()
	if changed && r.visited && len(r.living()) == 0 {
		select { // the client before may have had one started that has not said so yet, and has read what there was
		case <-heard:
		case <-time.After(500 * time.Millisecond):
		}
	}
	r.visited = true
	r.look(confs)
	for _, room := range r.living() {
		r.mu.Lock()
		fresh := room.read == r.seen[room.conf]
		r.mu.Unlock()
		if fresh {
			continue
		}
		if err := r.reload(room); err != nil {
			return err
		}
	}
	return nil
}

func (r *rooms) reload(room *aRoom) error {
	r.mu.Lock()
	before := room.ready
	room.read = r.seen[room.conf]
	r.mu.Unlock()
	if unix.Kill(room.pid, unix.SIGHUP) != nil {
		return nil // it has just ended
	}
	for deadline := time.After(10 * time.Second); ; {
		r.mu.Lock()
		done, heard := room.ready > before || !runs(room.pid), r.heard
		r.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-heard:
		case <-time.After(100 * time.Millisecond):
		case <-deadline:
			return fmt.Errorf("room %d has not read %s in 10 s", room.pid, room.conf)
		}
	}
}

var includeLine = regexp.MustCompile(`(?m)^\s*include\s+(\S+)`)

// state tells one state of a file, and of what it includes, from another. Nothing is read that is not a file of reasonable size.
func state(name string, depth int) string {
	var st unix.Stat_t
	if err := unix.Lstat(name, &st); err != nil || depth == 0 {
		return fmt.Sprint(name, " ", err)
	}
	s := fmt.Sprintln(name, st.Dev, st.Ino, st.Mode, st.Uid, st.Size, st.Ctim)
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > 1<<20 {
		return s
	}
	text, _ := os.ReadFile(name)
	for _, m := range includeLine.FindAllStringSubmatch(string(text), -1) {
		if !filepath.IsAbs(m[1]) {
			m[1] = filepath.Join(filepath.Dir(name), m[1])
		}
		s += state(m[1], depth-1)
	}
	return s
}

// confs are the configurations that the rooms of a script may read.
func (s *script) confs(ts *testscript.TestScript) []string {
	return []string{ts.MkAbs("sendwrap.conf"), "/etc/sendwrap.conf"}
}

// fresh is called before a client comes. A process for each client reads the configuration as it is then. For a script to mean the
// same in the room, the room has to have done so.
func (s *script) fresh(ts *testscript.TestScript) {
	if s.inRoom {
		ts.Check(s.machine.rooms.refresh(s.confs(ts)))
	} else {
		s.machine.rooms.look(s.confs(ts))
	}
}

// rooms N
//
// So many rooms must run, sooner or later. $ROOM becomes the pid of the newest.
func cmdRooms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rooms N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		living := machineOf(ts).rooms.living()
		if len(living) == want {
			if want > 0 {
				ts.Setenv("ROOM", strconv.Itoa(living[want-1].pid))
			}
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%d rooms; want %d", len(living), want)
		}
	}
}

// runs says whether a process is there and no zombie. One whose first thread is a zombie keeps its files until the others are gone.
func runs(pid int) bool {
	fields := procStat(pid)
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(fields) > 0 && (fields[0] != "Z" || len(threads) > 1)
}

// ancestors are the process itself, its parent, and so on.
func ancestors(pid int) (pids []int) {
	for pid > 1 {
		pids = append(pids, pid)
		fields := procStat(pid)
		if len(fields) < 2 {
			break
		}
		pid, _ = strconv.Atoi(fields[1])
	}
	return pids
}

// procStat are the fields of /proc/PID/stat behind the name: state, parent, …
func procStat(pid int) []string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}
