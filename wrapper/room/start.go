package room

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/allowlist"
	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/config"
	"sendwrap/wrapper/enforce"
	"sendwrap/wrapper/maillog"
)

const (
	// gcPercent is how much garbage, in percent of what is in use, may gather: at 25 a waiting
	// client takes about 0.7 kB instead of up to 1.2 kB at Go's 100, and a refused one no more time
	// that could be measured.
	gcPercent = 25

	// spareDescriptors are left to ourselves: ledger, log, pipes to start an MTA with, a
	// configuration to read.
	spareDescriptors = 64
)

// threads is how many threads the room makes for itself when it starts: Go would make one when it
// needs it, to start an MTA while a file is read, say, and ends the whole process where the limit
// on processes does not allow that.
const threads = 16

// makeThreads makes them, all at once; those that are idle Go keeps for ever.
func makeThreads() {
	var all, there sync.WaitGroup
	there.Add(threads)
	for range threads {
		all.Go(func() {
			runtime.LockOSThread() // a thread for each
			defer runtime.UnlockOSThread()
			there.Done()
			there.Wait()
		})
	}
	all.Wait()
}

// newRoom makes a room that nobody has entered yet.
func newRoom(o Options) (*room, error) {
	exec.CloseOnExec()
	// To start an MTA takes a processor of Go's until the MTA's file is loaded; the loop must not
	// have to wait for it.
	runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))
	debug.SetGCPercent(gcPercent)
	makeThreads()
	r := &room{
		Options: o, now: monotonic(), manager: newSupervisor(o.Idle), reserve: openReserve(),
		delays: map[time.Duration]*queue{}, mtas: newMTAs(), unwatched: seldom{others: "clients could not be watched"},
	}
	r.idleSince, r.parent = r.now, os.Getppid()
	var err error
	if r.notices, err = newNotices(r.heed); err != nil {
		return nil, err
	}
	// Not before: the program whose place we have taken has left SIGHUP ignored, and the default of
	// it is to end.
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
	// Go has raised the soft limit to the hard one when it started, and gives MTAs the old one
	// back.
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return nil, os.NewSyscallError("getrlimit", err)
	}
	r.capacity = max(int(min(limit.Cur, 1<<30))-spareDescriptors, 16)
	for _, fd := range o.Sockets {
		if err := r.listenOn(fd); err != nil {
			return nil, err
		}
	}
	r.furnish(config.Load(o.File, allowlist.All()))
	return r, nil
}

// furnish gives a room its first configuration. Without one everybody is told to come back later.
func (r *room) furnish(cfg *config.Config, wrong error) {
	if cfg == nil {
		cfg, r.unconfigured = config.Default(), wrong
	}
	r.log = maillog.NewQueue(r.LogTo(cfg.Log))
	r.door = wrapper.NewRoomDoor(cfg, r.log.Log())
	r.enforce = enforce.NewQueueAmong(cfg, r.LogTo(cfg.Log), r.hooks)
	r.mtas.starts.resize(cfg.SpawnRate)
	if r.unconfigured == nil {
		r.complain(wrong, config.LineSkipped)
		r.openLedger()
	}
}

// begin is when all is ready but the loop.
func (r *room) begin() {
	go r.spawn()
	r.adopt()
	r.door.Sweep()
	r.reap()                   // those that ended while one program took the place of another
	if r.unconfigured == nil { // it may allow more than when on_block was told last
		r.enforce.Configure(r.door.Config, r.LogTo(r.door.Config.Log))
	}
	r.manager.ready()
	r.tickAt = r.now // the first word to the manager does not wait for somebody to come
}
