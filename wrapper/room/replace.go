package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// How one program takes the place of another
//
// At SIGUSR2 the room executes the program's file anew: same process, so that inetd or systemd
// still know it, the MTAs are still its children, and the ledger's sessions still its own. Who is
// in the room and since when goes along in a file in memory, the connections simply stay open.
// Before that the new program is asked whether it runs at all and understands us.

const (
	// handoverEnv names the descriptor of the file in memory.
	handoverEnv = "SENDWRAP_HANDOVER"

	askTime     = 5 * time.Second        // for the new program to say which version it takes over
	quietenTime = 200 * time.Millisecond // for refused clients to read their replies
	hurryTime   = 2 * time.Second        // for blocks and searches under way, of which the new program will not know
	startTime   = 5 * time.Second        // for an MTA under way
	restTime    = 5 * time.Second        // until nothing happens for a moment
)

// replacement is under way while nobody is let in and nothing is started.
type replacement struct {
	program string
	since   time.Duration
}

func (r *room) replacing() bool { return r.replacement != nil }

// handedOver is what one program tells the next. A change of it, or of wrapper.Saved, needs another
// wrapper.HandoverVersion.
type handedOver struct {
	Version        int
	File           string
	Sockets        []int
	Blocking       []bool // were the sockets, when we got them
	Idle           bool
	StderrIsClient bool
	Parent         int            `json:",omitempty"` // the super-server; rooms of before do not say
	Clients        []handedClient // in the order in which they stood
	MTAs           []handedMTA
}

// handedClient is a client without an MTA. Times are of the monotonic clock, which goes on.
type handedClient struct {
	FD       int
	Admitted bool // its MTA was about to be started
	Arrived  time.Duration
	Passed   time.Duration // 0: it has to wait yet
	Session  wrapper.Saved
}

// handedMTA is a client with one.
type handedMTA struct {
	PID     int
	Started time.Duration
	Handed  bool
	Session wrapper.Saved
}

// replace begins to replace the program by the one that its file now is, if that can run and finds
// a configuration.
func (r *room) replace() {
	if r.asking || r.replacing() || r.stage != open {
		return
	}
	program, err := os.Executable() // as it was called when we were started
	if err != nil {
		r.warnf("SIGUSR2: %v; the running program stays", err)
		return
	}
	r.asking = true
	go func() {
		said, err := exec.Query(program, "version", askTime)
		if err == nil && !strings.Contains(said, wrapper.TakesOver+"\n") {
			err = fmt.Errorf("%s does not say %q; stop this room and start it anew", program, wrapper.TakesOver)
		}
		if err == nil {
			var cfg *config.Config
			if cfg, err = config.Load(r.File, allowlist.All()); cfg != nil {
				err = nil // mistakes in it are for the new program to tell
			}
		}
		r.notices.post(func() {
			r.asking = false
			switch {
			case err != nil:
				r.warnf("SIGUSR2: %v; the running program stays", err)
			case r.stage == open:
				r.replacement = &replacement{program, r.now}
				r.pauseListening()
			}
		})
	}()
}

// handOver executes the new program as soon as nobody is on the way. It returns if that must wait,
// or fails.
func (r *room) handOver() {
	r.hush()
	since := r.now - r.replacement.since
	switch {
	case r.mtas.starting > 0 && since >= startTime:
		r.stay(fmt.Errorf("an MTA has not started for %v", startTime))
		return
	case r.mtas.starting > 0 || r.draining.len > 0 && since < quietenTime,
		(r.seeking.len > 0 || !r.enforce.Hurry()) && since < hurryTime:
		return
	}
	for c := range r.draining.all {
		r.dismiss(c)
	}
	for c := range r.fresh.all {
		r.close(c)
	}
	r.payLast()
	state, err := r.save()
	if err != nil {
		r.stay(err)
		return
	}
	r.flushLog()
	// From here on there is nobody who could do what SIGTERM asks for, so it does what is its
	// default, and ends us. What has come meanwhile may have changed what was written down: then
	// once more.
	if r.notices.lastCall() {
		r.notices.listen()
		state.Close()
		if r.replacing() && since >= restTime {
			r.stay(errors.New("too much happens here at once"))
		}
		return
	}
	err = r.become(state)
	r.notices.listen()
	r.stay(err)
	r.reload() // what a SIGHUP may have asked for that was ignored
}

// stay goes on with the running program.
func (r *room) stay(why error) {
	r.warnf("SIGUSR2: %s: %v; the running program stays", r.replacement.program, why)
	r.replacement = nil
	r.resumeListening()
}

// save writes down who is there.
func (r *room) save() (*os.File, error) {
	all := handedOver{
		Version: wrapper.HandoverVersion, File: r.File, Sockets: r.Sockets, Idle: r.Idle, StderrIsClient: r.Stdio.StderrIsClient,
		Parent: r.parent,
	}
	for _, l := range r.listeners {
		all.Blocking = append(all.Blocking, l.blocking)
	}
	for _, q := range r.waiting() {
		for c := range q.all {
			all.Clients = append(all.Clients, handedClient{c.session.FD, q == &r.admitted, c.arrived, c.passed, c.session.Save()})
		}
	}
	for pid, c := range r.mtas.running {
		all.MTAs = append(all.MTAs, handedMTA{pid, c.started, c.handed, c.session.Save()})
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("sendwrap-room", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "handover")
	if _, err := f.Write(text); err != nil {
		f.Close()
		return nil, err
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	return f, os.NewSyscallError("fcntl", err)
}

// become executes the new program with all the connections open. It returns only if that fails, and
// all is as before.
func (r *room) become(state *os.File) error {
	defer state.Close()
	fds := append([]int{int(state.Fd())}, r.Sockets...)
	for _, q := range r.waiting() {
		for c := range q.all {
			fds = append(fds, c.session.FD)
		}
	}
	// A SIGHUP between the programs must not end the new one, which reads the configuration anyway.
	signal.Ignore(unix.SIGHUP)
	return exec.Upgrade(r.replacement.program, os.Args, append(os.Environ(), handoverEnv+"="+strconv.Itoa(fds[0])), fds)
}

// HandedOver is the room that another program has left to us, and whether there is one. An error
// means that there is one but it cannot be understood: its clients are lost when we end.
func HandedOver(o Options) (room *Heir, is bool, err error) {
	value := os.Getenv(handoverEnv)
	if value == "" {
		return nil, false, nil
	}
	// First of all: one who is told to stop while it takes over has clients to tell.
	stops := make(chan os.Signal, 1)
	signal.Notify(stops, unix.SIGTERM, unix.SIGINT)
	os.Unsetenv(handoverEnv)
	fd, err := strconv.Atoi(value)
	if err != nil {
		return nil, false, nil
	}
	// Whoever may set our environment could as well have started something else in our place: this
	// is against mistakes.
	if seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || seals&unix.F_SEAL_WRITE == 0 {
		return nil, false, nil
	}
	f := os.NewFile(uintptr(fd), "handover")
	defer f.Close()
	if _, err := f.Seek(0, 0); err != nil {
		return nil, true, err
	}
	h := &Heir{options: o, stops: stops}
	if err := json.NewDecoder(f).Decode(&h.state); err != nil {
		return nil, true, fmt.Errorf("room handed over: %w", err)
	}
	if h.state.Version != wrapper.HandoverVersion {
		return nil, true, fmt.Errorf("room handed over is of version %d; want %d", h.state.Version, wrapper.HandoverVersion)
	}
	h.options.File, h.options.Sockets, h.options.Idle = h.state.File, h.state.Sockets, h.state.Idle
	h.options.Stdio.StderrIsClient = h.state.StderrIsClient
	return h, true, nil
}

// Heir is the program that has taken the place of another.
type Heir struct {
	options Options
	state   handedOver
	stops   chan os.Signal
}

// Run goes on where the program before has left off.
func (h *Heir) Run() error {
	r, err := newRoom(h.options)
	if err != nil {
		return err
	}
	for i, l := range r.listeners {
		l.blocking = i < len(h.state.Blocking) && h.state.Blocking[i]
	}
	if h.state.Parent != 0 {
		r.parent = h.state.Parent
	}
	r.restore(&h.state)
	_ = r.log.Log().Write(maillog.Info, fmt.Sprintf("a new program has taken over %d clients and %d sessions", len(h.state.Clients), len(h.state.MTAs)))
	r.begin()
	r.settle()
	signal.Stop(h.stops)
	if len(h.stops) > 0 {
		r.shut()
	}
	return r.loop()
}

// restore lets everybody stand where they stood.
func (r *room) restore(all *handedOver) {
	for _, h := range all.MTAs {
		c := &client{session: r.door.Restore(-1, h.Session), started: h.Started, handed: h.Handed}
		r.mtas.running[h.PID] = c
		r.served(c)
	}
	for _, h := range all.Clients {
		c := &client{session: r.door.Restore(h.FD, h.Session), arrived: h.Arrived, passed: h.Passed}
		r.hold(c)
		switch {
		case r.unconfigured != nil:
			c.session.Fail(r.unconfigured)
			r.refuse(c)
		case h.Admitted:
			r.admitted.push(c)
			r.served(c)
		case h.Passed > 0:
			r.queueUp(c)
			r.watch(c)
		default:
			c.due = c.arrived + c.session.Delay()
			r.delay(c.session.Delay()).push(c)
			r.watch(c)
		}
	}
	r.newRules() // the configuration has been read
}
