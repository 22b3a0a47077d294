package room

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/maillog"
	"sendwrap/wrapper/reload"
)

const (
	// gcPercent is how much garbage may gather, in percent of the memory in use. At 25 a waiting
	// client takes about 0.7 kB, at Go's 100 up to 1.2 kB. The time for a refused client does not
	// change measurably.
	gcPercent = 25

	// ownDescriptors are kept for ourselves: ledger, log, pipes for starting an MTA, the
	// configuration.
	ownDescriptors = 64
)

// threads is how many threads the room makes when it starts. Go would make one when it needs it (to
// start an MTA while a file is read, say), and would crash where the limit on processes forbids it.
const threads = 16

// makeThreads makes them, all at once. Go keeps idle threads for ever.
func makeThreads() {
	var all, running sync.WaitGroup
	running.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread() // each goroutine gets a thread of its own
			defer runtime.UnlockOSThread()
			running.Done()
			running.Wait()
		})
	}
	all.Wait()
}

// newRoom makes a room that is ready to begin.
func newRoom(o Options) (*room, error) {
	exec.CloseOnExec()
	// Starting an MTA occupies one of Go's processors until the MTA's file is loaded. The loop
	// needs another one.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(gcPercent)
	makeThreads()
	r := &room{
		Options: o, clock: newClock(), manager: newServiceManager(o.Idle), reserve: openReserve(),
		delays: map[time.Duration]*queue{}, dns: -1,
		mtas: mtas{
			jobs:    make(chan job, maxStarting),
			running: map[int]*client{}, unclaimed: map[int]exit{},
		},
	}
	r.now = r.clock.now()
	r.idleSince, r.parent = r.now, os.Getppid()
	var err error
	if r.notices, err = newNotices(r.onSignals); err != nil {
		return nil, err
	}
	// Only now: the program before us has left SIGHUP ignored, and NewHooks restores the default,
	// which is to end.
	if r.hooks, err = exec.NewHooks(func() { r.notices.ask(askReap) }); err != nil {
		return nil, err
	}
	if r.poller, err = newPoller(); err != nil {
		return nil, err
	}
	if err := r.poller.add(r.notices.wake, unix.EPOLLIN); err != nil {
		return nil, err
	}
	var limit unix.Rlimit
	// Go has raised the soft limit to the hard one at start, and gives MTAs the old one.
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	r.capacity = max(int(min(limit.Cur, 1<<30))-ownDescriptors, 16)
	for _, fd := range o.Sockets {
		if err := r.addListener(fd); err != nil {
			return nil, err
		}
	}
	r.applyFirstConfig(reload.Load(o.File))
	return r, nil
}

// applyFirstConfig gives a room its first configuration. Without one the room asks every client to
// come back later.
func (r *room) applyFirstConfig(cfg *config.Config, err error) {
	if cfg == nil {
		cfg, r.unconfigured = config.Default(), err
	}
	r.config = cfg
	r.log = maillog.NewQueue(r.LogTo(cfg.Log))
	r.door = wrapper.NewRoomDoor(cfg.Policy(), r.log.Log())
	r.enforce = enforce.NewQueueAmong(cfg, r.LogTo(cfg.Log), r.hooks)
	r.mtas.starts.resize(cfg.SpawnRate)
	if r.unconfigured == nil {
		reload.LogMistakes(r.log.Log(), err, config.LineSkipped)
		r.door.OpenLedger()
		r.door.Ledger.NoteConfigured()
	}
}

// begin does what is left before the loop.
func (r *room) begin() {
	go r.startMTAs()
	r.adopt()
	r.door.Sweep()
	r.reap()                   // children that exited during a handover
	if r.unconfigured == nil { // it may allow networks that on_block was run for
		r.enforce.Configure(r.config, r.LogTo(r.config.Log))
	}
	r.manager.ready()
	r.nextSecond = r.now // the manager gets a status even if no client comes
}
