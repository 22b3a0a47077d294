package room

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"time"

	multierror "github.com/hashicorp/go-multierror"
	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/maillog"
)

// stage is how far the room is on its way.
type stage uint8

const (
	open    stage = iota
	closing       // nobody is let in any more; the last are told so
	over
)

// closingTime bounds what is left to do when the room closes: replies to be read, an MTA under way.
const closingTime = 2 * time.Second

// gcPercent is how much garbage, in percent of what is in use, may gather: at 25 a waiting client takes about 0.7 kB instead
// of up to 1.2 kB at Go's 100, and a refused one no more time that could be measured.
const gcPercent = 25

// spareDescriptors are left to ourselves: ledger, log, pipes to start an MTA with, a configuration to read.
const spareDescriptors = 64

// newRoom makes a room that nobody has entered yet.
func newRoom(o Options) (*room, error) {
	exec.CloseOnExec()
	// To start an MTA takes a processor of Go's until the MTA's file is loaded; the loop must not have to wait for it.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	// What a waiting client costs is to be its own memory and not as much again for what others have left behind.
	debug.SetGCPercent(gcPercent)
	r := &room{
		Options: o, manager: newSupervisor(o.Idle), reserve: openReserve(),
		delays: map[time.Duration]*queue{}, mtas: map[int]*client{}, early: map[int]unix.WaitStatus{},
		jobs: make(chan job, maxStarting), posts: make(chan func(), 64), signals: make(chan os.Signal, 64), now: monotonic(),
	}
	r.idleSince = r.now
	r.listenForSignals()
	var limit unix.Rlimit
	// Go has raised the soft limit to the hard one when it started, and gives MTAs the old one back.
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	r.capacity = max(int(min(limit.Cur, 1<<30))-spareDescriptors, 16)
	var err error
	if r.poller, err = newPoller(); err != nil {
		return nil, err
	}
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	if err := r.poller.add(r.wake, unix.EPOLLIN); err != nil {
		return nil, err
	}
	for _, fd := range o.Sockets {
		if err := r.listenOn(fd); err != nil {
			return nil, err
		}
	}
	cfg, wrong := config.Load(o.File, allowlist.All())
	r.configure(cfg, wrong)
	return r, nil
}

// configure furnishes a room for the first time. Without a configuration everybody is told to come back later.
func (r *room) configure(cfg *config.Config, wrong error) {
	if cfg == nil {
		cfg, r.closed = config.Default(), wrong
	}
	r.log = maillog.NewQueue(r.LogTo(cfg.Log))
	r.door = wrapper.NewRoomDoor(cfg, r.log.Log())
	r.starts.resize(cfg.SpawnRate)
	if r.closed == nil {
		r.complain(wrong, skipped)
		r.door.OpenLedger()
		if r.door.Ledger == nil {
			r.reopenAt = r.now + reopenEvery
		}
	}
}

// begin is when all is ready but the loop.
func (r *room) begin() {
	go r.spawn()
	go func() {
		for s := range r.signals {
			r.post(func() { r.signalled(s) })
		}
	}()
	r.adopt(r.door.Tidy())
	r.reap() // those that ended while one program took the place of another
	r.manager.ready()
	r.tendAt = r.now // the first word to the manager does not wait for somebody to come
}

// listenForSignals must come before the configuration is read: one who has changed it since says so by a signal.
func (r *room) listenForSignals() {
	signal.Notify(r.signals, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGUSR2, unix.SIGCHLD)
}

func (r *room) signalled(s os.Signal) {
	switch s {
	case nil:
		r.heardAll = true
	case unix.SIGCHLD:
		r.reap()
	case unix.SIGHUP:
		r.reload()
	case unix.SIGUSR2:
		r.replace()
	default:
		r.shut()
	}
}

// reload reads the configuration anew, beside the loop: a hundred thousand networks take a second.
func (r *room) reload() {
	if r.reading {
		r.readAgain = true
		return
	}
	r.reading, r.readAgain = true, false
	r.manager.reloading()
	go func() {
		cfg, wrong := config.Load(r.File, allowlist.All())
		r.post(func() {
			r.reading = false
			r.reconfigure(cfg, wrong)
			r.manager.ready()
			if r.readAgain {
				r.reload()
			}
		})
	}()
}

// reconfigure lets another configuration hold from now on, also for those who wait, whose delay has begun. One
// with mistakes changes nothing.
func (r *room) reconfigure(cfg *config.Config, wrong error) {
	if wrong != nil && r.closed == nil {
		r.complain(wrong, "")
		r.warnf("%s: what held before holds on; see sendwrap check, then send SIGHUP again", r.File)
		return
	}
	if cfg == nil {
		r.closed = wrong
		return
	}
	old := r.door.Config
	if r.closed != nil {
		r.closed = nil
		r.complain(wrong, skipped)
	}
	if cfg.Log != old.Log {
		r.log.Flush()
		r.log.Close()
		r.log = maillog.NewQueue(r.LogTo(cfg.Log))
		r.door.Log = r.log.Log()
	}
	r.door.Config = cfg
	r.starts.resize(cfg.SpawnRate)
	if cfg.Ledger != old.Ledger || r.door.Ledger == nil {
		r.changeLedger()
	}
	_ = r.log.Log().Write(maillog.Info, r.File+": read anew")
}

// mostComplaints is how many wrong directives are told; sendwrap check tells them all.
const mostComplaints = 5

// skipped is what becomes of a wrong directive where there is no better configuration to stay with.
const skipped = " (skipped)"

// complain logs what is wrong with a configuration, and what becomes of that.
func (r *room) complain(wrong error, fate string) {
	var all *multierror.Error
	if !errors.As(wrong, &all) {
		if wrong != nil {
			r.warnf("%v", wrong)
		}
		return
	}
	for i, err := range all.Errors {
		if i == mostComplaints {
			r.warnf("%d more wrong directives; run sendwrap check", len(all.Errors)-i)
			return
		}
		r.warnf("%v%s", err, fate)
	}
}

// busy says whether there is anybody in the room, or behind it.
func (r *room) busy() bool { return r.held > 0 || r.starting > 0 || len(r.mtas) > 0 }

// tend does once a second what is not for one client's sake.
func (r *room) tend() {
	if r.busy() {
		r.idleSince = r.now
	}
	if r.now < r.tendAt {
		return
	}
	if r.closed != nil {
		r.retryConfiguration()
	}
	r.tendLedger()
	if r.starting == 0 {
		clear(r.early)
	}
	if r.shed > 0 && r.shedding.n > 1 && r.now-r.shedding.began >= seldomEvery {
		r.warnf("%d newcomers in all were told 421 4.3.2 for want of a descriptor", r.shed)
		r.shed, r.shedding = 0, seldom{}
	}
	r.report()
	r.tendAt = 0 // with nobody there, not before something happens
	if r.busy() || r.closed != nil || r.shed > 0 {
		r.tendAt = r.now + time.Second
	}
	if w := r.manager.watchdog / 2; w > 0 {
		r.manager.alive()
		if r.tendAt == 0 || r.now+w < r.tendAt {
			r.tendAt = r.now + w
		}
	}
}

// retryConfiguration looks whether there is one by now.
func (r *room) retryConfiguration() {
	cfg, wrong := config.Load(r.File, allowlist.All())
	r.reconfigure(cfg, wrong)
}

// report tells whoever has started us how many there are.
func (r *room) report() {
	waiting := r.turns.len + r.admitted.len
	for _, q := range r.delays {
		waiting += q.len
	}
	perSecond := float64(r.refused-r.reported) / max(1, (r.now-r.reportedAt).Seconds())
	r.reported, r.reportedAt = r.refused, r.now
	r.manager.say(fmt.Sprintf("%d waiting, %d serving, %.0f refused/s", waiting, len(r.mtas)+r.starting, perSecond))
}

// idleAt is when the room ends unless somebody comes; 0 = not for that reason.
func (r *room) idleAt() time.Duration {
	if !r.Idle || r.door.Config.RoomIdle == 0 || r.busy() || r.ending != open || r.replacing() {
		return 0
	}
	return r.idleSince + r.door.Config.RoomIdle
}

// shut lets nobody in any more, tells those who wait to come back later, and leaves those alone that have an MTA.
func (r *room) shut() {
	if r.ending != open {
		return
	}
	r.ending, r.endAt, r.handover = closing, r.now+closingTime, nil
	r.manager.stopping()
	r.pauseListening()
	for _, q := range r.waiting() {
		for c := range q.all {
			c.leave()
			c.session.Dismiss(r.now - c.arrived)
			c.session.Log(0)
			r.refuse(c)
		}
	}
}

// waiting are the queues of those that have no MTA yet.
func (r *room) waiting() []*queue {
	queues := []*queue{&r.admitted, &r.turns}
	for _, q := range r.delays {
		queues = append(queues, q)
	}
	return queues
}

// end takes the room a step on its way out.
func (r *room) end() {
	switch at := r.idleAt(); {
	case r.ending == closing && (r.draining.len == 0 && r.starting == 0 || r.now >= r.endAt):
		r.ending = over
	case r.replacing():
		r.handOver()
	case at > 0 && r.now >= at:
		r.ending = over
	}
}

// depart leaves the sockets as we got them, and the last lines in the log.
func (r *room) depart() {
	for _, l := range r.listeners {
		_ = unix.SetNonblock(l.fd, !l.blocking)
	}
	for range 20 {
		if r.log.Flush() == 0 {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
