package room

import (
	"encoding/json"
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
)

// How one program takes the place of another
//
// At SIGUSR2 the room executes its program file again. The process stays the same: inetd or systemd
// still know it, the MTAs are still its children, and the ledger's sessions are still its own. The
// connections stay open, and a file in memory (memfd) says which client is on which descriptor and
// since when. First the new program is asked whether it runs at all and understands that file.

const (
	// handoverEnv names the descriptor of the file in memory.
	handoverEnv = "SENDWRAP_HANDOVER"

	// How long the room waits, for:
	askTime   = 5 * time.Second        // the new program to say which version it takes over
	drainTime = 200 * time.Millisecond // refused clients to read their replies
	hurryTime = 2 * time.Second        // blocks and searches, which the new program does not get
	startTime = 5 * time.Second        // an MTA that is being started
	quietTime = 5 * time.Second        // a moment without signals and results
)

// replacement is under way. Meanwhile no client is let in and no MTA is started.
type replacement struct {
	program string
	since   time.Duration
}

func (r *room) replacing() bool { return r.replacement != nil }

// handover is what one program leaves to the next, as JSON. A change of it, or of wrapper.Saved,
// needs another wrapper.HandoverVersion.
type handover struct {
	Version        int
	File           string
	Sockets        []int
	Blocking       []bool // whether the sockets were, when we got them
	Idle           bool
	StderrIsClient bool
	Parent         int              `json:",omitempty"` // older rooms leave it out
	Clients        []handoverClient // in the order of their queues
	MTAs           []handoverMTA
}

// handoverClient is a client without an MTA. Times are of the monotonic clock, which both programs
// share.
type handoverClient struct {
	FD       int
	Admitted bool // its MTA was about to be started
	Arrived  time.Duration
	Passed   time.Duration // 0: its delay is not over
	Session  wrapper.Saved
}

// handoverMTA is a client with an MTA.
type handoverMTA struct {
	PID         int
	Started     time.Duration
	Transferred bool `json:"Handed"`
	Session     wrapper.Saved
}

// replace begins to replace the program by the one that its file is now, if that one runs and can
// load the configuration.
func (r *room) replace() {
	if r.asking || r.replacing() || r.stage != open {
		return
	}
	program, err := os.Executable() // its name when we were started
	if err != nil {
		r.logReplaceError(err)
		return
	}
	r.asking = true
	go func() {
		version, err := exec.Query(program, "version", askTime)
		if err == nil && !strings.Contains(version, wrapper.TakesOver+"\n") {
			err = fmt.Errorf("%s does not say %q; stop this room and start it again",
				program, wrapper.TakesOver)
		}
		if err == nil {
			var cfg *config.Config
			if cfg, err = config.Load(r.File, allowlist.All()); cfg != nil {
				err = nil // the new program logs the mistakes in it
			}
		}
		r.notices.post(func() {
			r.asking = false
			switch {
			case err != nil:
				r.logReplaceError(err)
			case r.stage == open:
				r.replacement = &replacement{program, r.now}
				r.pauseListening()
			}
		})
	}()
}

func (r *room) logReplaceError(err error) {
	r.warnf("SIGUSR2: %v; the running program stays", err)
}

// tryHandover executes the new program as soon as no client is on its way to an MTA or out. It
// returns if it has to wait, or if it fails.
func (r *room) tryHandover() {
	r.endDialogues()
	since := r.now - r.replacement.since
	switch {
	case r.mtas.starting > 0 && since >= startTime:
		r.cancelReplacement(fmt.Errorf("an MTA start has been pending for %v", startTime))
		return
	case r.mtas.starting > 0 || r.draining.len > 0 && since < drainTime,
		(r.searching.len > 0 || !r.enforce.Hurry()) && since < hurryTime:
		return
	}
	for c := range r.draining.all {
		r.drainAndClose(c)
	}
	for c := range r.silent.all {
		r.close(c)
	}
	r.writeLastStrikes()
	state, err := r.save()
	if err != nil {
		r.cancelReplacement(err)
		return
	}
	r.flushLog()
	// From here on nothing could handle SIGTERM, so it ends the process, which is its default. What
	// has happened meanwhile may have changed the state that was saved: then save it once more.
	if r.notices.releaseStops() {
		r.notices.listen()
		state.Close()
		if r.replacing() && since >= quietTime {
			r.cancelReplacement(fmt.Errorf("the room did not become idle within %v", quietTime))
		}
		return
	}
	err = r.execute(state)
	r.notices.listen()
	r.cancelReplacement(err)
	r.reload() // SIGHUP was ignored meanwhile
}

// cancelReplacement goes on with the running program.
func (r *room) cancelReplacement(why error) {
	r.logReplaceError(fmt.Errorf("%s: %w", r.replacement.program, why))
	r.replacement = nil
	r.resumeListening()
}

// save writes the handover into a file in memory.
func (r *room) save() (*os.File, error) {
	all := handover{
		Version: wrapper.HandoverVersion,
		File:    r.File, Sockets: r.Sockets, Idle: r.Idle,
		StderrIsClient: r.Stdio.StderrIsClient, Parent: r.parent,
	}
	for _, l := range r.listeners {
		all.Blocking = append(all.Blocking, l.blocking)
	}
	for _, q := range r.waitingQueues() {
		for c := range q.all {
			all.Clients = append(all.Clients, handoverClient{
				c.session.FD, q == &r.admitted, c.arrived, c.passed, c.session.Save(),
			})
		}
	}
	for pid, c := range r.mtas.running {
		all.MTAs = append(all.MTAs, handoverMTA{pid, c.started, c.transferred, c.session.Save()})
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
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals)
	return f, os.NewSyscallError("fcntl", err)
}

// execute becomes the new program, with all connections open. It returns only if that fails; then
// everything is as before.
func (r *room) execute(state *os.File) error {
	defer state.Close()
	fds := append([]int{int(state.Fd())}, r.Sockets...)
	for _, q := range r.waitingQueues() {
		for c := range q.all {
			fds = append(fds, c.session.FD)
		}
	}
	// A SIGHUP between the programs must not end the new one, which reads the configuration anyway.
	signal.Ignore(unix.SIGHUP)
	environ := append(os.Environ(), handoverEnv+"="+strconv.Itoa(fds[0]))
	return exec.Upgrade(r.replacement.program, os.Args, environ, fds)
}
