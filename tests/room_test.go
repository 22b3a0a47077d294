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
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"sendwrap/tests/lab"
)

// Rooms report their state here, as to systemd (sd_notify(3)). So we learn which processes are
// rooms, and when one has read its configuration, whatever it logs and where.
const (
	notifyVar    = "NOTIFY_SOCKET"
	notifySocket = "/run/notify"
)

// rooms are the processes of a machine that have reported to be rooms.
type rooms struct {
	machine *machine
	conn    *net.UnixConn
	self    *net.UnixConn // leads to conn
	caught  chan struct{} // what came on self has been read

	mu   sync.Mutex
	list []*aRoom          // in their order
	seen map[string]string // the state of each configuration, when it was last looked at
}

// aRoom is one of them.
type aRoom struct {
	pid     int
	process *os.Process // it, even if another process has its pid by now
	conf    string
	read    string // the state in which the configuration was when it was read
	ready   int    // times that it has said so
}

// listenRooms must run on the machine's thread.
func listenRooms(m *machine) (*rooms, error) {
	addr := &net.UnixAddr{Name: notifySocket, Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		return nil, err
	}
	r := &rooms{machine: m, conn: conn, caught: make(chan struct{}), seen: map[string]string{}}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		}), err, os.Chmod(notifySocket, 0o666))
	}
	if err == nil {
		r.self, err = net.DialUnix("unixgram", nil, addr)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
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
		if err != nil || len(messages) == 0 {
			continue
		}
		from, err := unix.ParseUnixCredentials(&messages[0])
		switch {
		case err != nil:
		case int(from.Pid) == os.Getpid():
			r.caught <- struct{}{}
		case string(text[:n]) == "READY=1":
			r.isReady(int(from.Pid))
		}
	}
}

func (r *aRoom) lives() bool {
	return r.process.Signal(unix.Signal(0)) == nil && lab.Running(r.pid)
}

// catchUp returns when all reports of rooms up to now are known.
func (r *rooms) catchUp() {
	if _, err := r.self.Write([]byte("so far")); err == nil {
		<-r.caught
	}
}

// isReady notes that a room has read its configuration.
func (r *rooms) isReady(pid int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.list, func(room *aRoom) bool { return room.pid == pid && room.lives() })
	if i < 0 {
		i = len(r.list)
		conf := "/etc/sendwrap.conf"
		if argv := lab.Cmdline(pid); slices.Contains(argv, "-f") {
			conf = argv[slices.Index(argv, "-f")+1]
		}
		process, _ := os.FindProcess(pid)
		r.list = append(r.list, &aRoom{pid: pid, process: process, conf: conf, read: r.seen[conf]})
	}
	r.list[i].ready++
}

// living are the rooms that have not ended.
func (r *rooms) living() []*aRoom {
	r.catchUp()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(room *aRoom) bool { return !room.lives() })
	return slices.Clone(r.list)
}

// of are the living rooms that a process has started, or has become.
func (r *rooms) of(ancestor int) (list []*aRoom) {
	for _, room := range r.living() {
		if slices.Contains(lab.Ancestors(room.pid), ancestor) {
			list = append(list, room)
		}
	}
	return list
}

// settle waits until every process that a super-server has started is a room that has read its
// configuration, belongs to one, or is gone.
func (r *rooms) settle() error {
	var left []int
	if lab.Await(func() bool {
		living := r.living()
		left = slices.DeleteFunc(r.machine.processes(), func(pid int) bool {
			line := lab.Ancestors(pid)
			return !slices.ContainsFunc(r.machine.daemons, func(d *lab.Daemon) bool {
				return slices.Contains(line, d.PID())
			}) || slices.ContainsFunc(living, func(room *aRoom) bool {
				return slices.Contains(line, room.pid) ||
					slices.Contains(lab.Ancestors(room.pid), pid)
			})
		})
		return len(left) == 0
	}) {
		return nil
	}
	return fmt.Errorf("process %d, %q, does not become a room", left[0], lab.Cmdline(left[0]))
}

// look notes the state of these configurations. A room that reports ready from here on has read it.
func (r *rooms) look(confs []string) {
	states := r.states(confs)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.seen, states)
}

func (r *rooms) states(confs []string) map[string]string {
	states := map[string]string{}
	r.machine.Do(func() {
		for _, conf := range confs {
			states[conf] = state(conf, 16)
		}
	})
	return states
}

// refresh makes each room read its configuration again, if that has changed since it did, and waits
// until it has.
func (r *rooms) refresh(confs []string) error {
	states := r.states(confs)
	r.mu.Lock()
	changed := !maps.Equal(states, r.seen)
	r.mu.Unlock()
	if changed { // a room that has yet to say so has read what there was
		if err := r.settle(); err != nil {
			return err
		}
	}
	r.look(confs)
	for _, room := range r.living() {
		r.mu.Lock()
		before, fresh := room.ready, room.read == r.seen[room.conf]
		room.read = r.seen[room.conf]
		r.mu.Unlock()
		if fresh || room.process.Signal(unix.SIGHUP) != nil { // it has just ended
			continue
		}
		if !lab.Await(func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return room.ready > before || !room.lives()
		}) {
			return fmt.Errorf("room %d has not read %s", room.pid, room.conf)
		}
	}
	return nil
}

var includeLine = regexp.MustCompile(`(?m)^\s*(?:include|access)\s+(\S+)`)

// state distinguishes the contents of a file, and of those that it includes or names. It reads only
// files of reasonable size.
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

// fresh is called before a client comes. A process for each client reads the configuration as it is
// then. For a script to mean the same in the room, the room must have read it, too.
func (s *script) fresh(ts *testscript.TestScript) {
	if s.mode == inRoom {
		ts.Check(s.machine.rooms.refresh(s.confs(ts)))
	} else {
		s.machine.rooms.look(s.confs(ts))
	}
}

// rooms N
//
// N rooms must run, sooner or later. $ROOM becomes the pid of the newest.
func cmdRooms(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rooms N")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var living []*aRoom
	lab.Await(func() bool {
		living = machineOf(ts).rooms.living()
		return len(living) == want
	})
	if len(living) != want {
		ts.Fatalf("%d rooms; want %d", len(living), want)
	}
	if want > 0 {
		ts.Setenv("ROOM", strconv.Itoa(living[want-1].pid))
	}
}
