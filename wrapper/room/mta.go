package room

import (
	"fmt"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper"
	"sendwrap/wrapper/maillog"
)

const (
	// maxStarting is how many MTAs may be on their way through fork and exec at once: one is
	// started after the other, and some wait, so that the next begins without the loop's help. Not
	// more of them: whoever comes next waits for all of them.
	maxStarting = 4

	// freshTime is how long at most we hold a client's connection beside its MTA, to tell the
	// client if that ends without a word (Postfix's programs sleep for a second before they end by
	// an error: msg.c); freshLook is how often we look whether it has said one, as the client would
	// not see the end of the connection while we do.
	freshTime = 3 * time.Second
	freshLook = 50 * time.Millisecond

	// unfitEvery is how often the log may be told that the MTA is not one for clients.
	unfitEvery = time.Minute

	// clientLeft is the exit status of an MTA whose client has left without QUIT, or was silent for
	// too long: exim -bs ends so (exim.c: EXIT_FAILURE when smtp_setup_msg has failed; seen with
	// 4.96), and qmail-smtpd (die_read, die_alarm). sendmail -bs ends with 0 then (seen with 8.17).
	// What is wrong with the machine has other numbers: 64 to 78 (sysexits.h), 111 (qmail), 126 and
	// 127 (a shell). A few programs end with 1 for that as well, but then mostly without a word,
	// which is told apart.
	clientLeft = 1
)

// mtas are the processes that the room has started for its clients.
type mtas struct {
	jobs     chan job
	starting int
	numbered int             // jobs so far
	starts   window          // of the last second
	retry    time.Duration   // no turn before this time
	running  map[int]*client // by pid
	// Those that ended before we knew that they had started; and whoever else's child ended
	// meanwhile.
	unclaimed map[int]exit
	failures  seldom
	exits     seldom
	stderrs   seldom
}

// exit is the end of a child that is not yet known to us.
type exit struct {
	status unix.WaitStatus
	before int // it can be that of a job up to this number
}

func newMTAs() mtas {
	return mtas{
		jobs: make(chan job, maxStarting), running: map[int]*client{}, unclaimed: map[int]exit{},
		failures: seldom{others: "clients had to be turned away for want of an MTA"},
		exits:    seldom{others: "MTAs ended by a signal or with another status than 0 and 1"},
		stderrs:  seldom{others: "MTAs had nowhere to say what is wrong"},
	}
}

// job is an MTA to be started.
type job struct {
	number int
	client *client
	argv   []string
	fd     int
	ends   exec.Ends
	stderr exec.Stderr
}

// start has the client's MTA started.
func (r *room) start(c *client) {
	if c.watched {
		r.poller.remove(c.session.FD)
		c.watched = false
	}
	m := &r.mtas
	m.starting++
	m.numbered++
	m.starts.note(r.now)
	s := c.session
	ends := exec.Ends{Client: s.Client, Server: s.Server, Host: wrapper.HostName(r.door.Config)}
	m.jobs <- job{m.numbered, c, s.MTA(), s.FD, ends, exec.Stderr(r.door.Config.MTAStderr)}
}

// spawn starts MTAs, one after the other, for ever. It runs beside the loop, which a disk that
// takes its time with a program must not hold up. (It does where a garbage collection begins in the
// very moment of a start, until the program is loaded.)
func (r *room) spawn() {
	environ := os.Environ()
	var looked []string // the MTA of which Unfit was asked last, and when
	var lookedAt time.Duration
	for j := range r.mtas.jobs {
		if now := monotonic(); now-lookedAt >= unfitEvery || !slices.Equal(j.argv, looked) {
			looked, lookedAt = j.argv, now
			if err := wrapper.Unfit(j.argv); err != nil {
				r.notices.post(func() { r.warnf("mta: %v", err) })
			}
		}
		var pid int
		var err, mute error
		r.hooks.Fork(func() {
			mute = r.Stdio.SetStderr(j.stderr)
			pid, err = r.Stdio.Spawn(j.argv, environ, j.fd, j.ends)
		})
		r.notices.post(func() {
			if mute != nil && r.mtas.stderrs.allows(r.now) {
				r.warnf("mta_stderr: %v", mute)
			}
			r.started(j, pid, err)
		})
	}
}

// started goes on with a client whose MTA runs, or could not be started.
func (r *room) started(j job, pid int, err error) {
	m, c := &r.mtas, j.client
	m.starting--
	ended, gone := m.unclaimed[pid]
	gone = gone && j.number <= ended.before
	for pid, e := range m.unclaimed { // none of the jobs to come was begun before these ended
		if e.before <= j.number {
			delete(m.unclaimed, pid)
		}
	}
	if err != nil {
		r.fail(c, err)
		return
	}
	c.started = r.now
	m.running[pid] = c
	c.session.Log(pid)
	c.handed = c.session.TransferTo(pid)
	c.due = r.now + freshLook
	r.fresh.push(c)
	if gone {
		r.exited(pid, ended.status)
	}
}

// fail refuses a client for want of an MTA. Where none can be started the log need not say so for
// each client.
func (r *room) fail(c *client, why error) {
	if r.mtas.failures.allows(r.now) {
		c.session.Fail(why)
	} else {
		c.session.FailSilently()
	}
	r.refuse(c)
}

// reap asks for the children that have ended.
func (r *room) reap() { r.hooks.Reap(r.reaped) }

// reaped is the end of a child that is no hook.
func (r *room) reaped(pid int, status unix.WaitStatus) {
	switch m := &r.mtas; {
	case m.running[pid] != nil:
		r.exited(pid, status)
	case m.starting > 0:
		m.unclaimed[pid] = exit{status, m.numbered}
	}
}

// exited is the end of a session.
func (r *room) exited(pid int, status unix.WaitStatus) {
	m := &r.mtas
	c := m.running[pid]
	delete(m.running, pid)
	m.retry = 0
	r.turns.end(c)
	if c.in == &r.fresh {
		c.leave()
		if silent(c.session.FD) {
			r.fail(c, fmt.Errorf("%s ended without a word, with %s", c.session.MTA()[0], inWords(status)))
			return
		}
		r.close(c)
	}
	c.session.End()
	switch ordinary := !status.Signaled() && status.ExitStatus() == clientLeft; {
	case ordinary:
		c.session.LogEnd(pid, maillog.Info, r.now-c.started, status)
	case status != 0 && m.exits.allows(r.now):
		c.session.LogEnd(pid, maillog.Warning, r.now-c.started, status)
	}
}

// letGo closes our side of the connections that their MTAs have taken over.
func (r *room) letGo() {
	for c := r.fresh.first; c != nil && c.due <= r.now; c = r.fresh.first {
		if r.now-c.started < freshTime && silent(c.session.FD) {
			c.leave()
			c.due = r.now + freshLook
			r.fresh.push(c)
			continue
		}
		r.close(c)
	}
}

func inWords(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %d", status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// established is TCP_ESTABLISHED (linux/tcp.h): neither side has ended.
const established = 1

// silent says whether the client on fd is still there and nothing was ever sent to it. (A teaser
// was, and then nothing that we could say would be understood.)
func silent(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == established && info.Data_segs_out == 0 && info.Notsent_bytes == 0
}
