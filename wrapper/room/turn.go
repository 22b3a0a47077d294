package room

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sendwrap/exec"
	"sendwrap/wrapper/config"
)

const (
	// maxStarting is how many MTAs may be on their way through fork and exec at once: one is started after the other, and some
	// wait, so that the next begins without the loop's help.
	maxStarting = 8

	// retryTurn is the pause after all sessions were taken. The end of one of our own MTAs makes it shorter.
	retryTurn = 50 * time.Millisecond

	// freshTime is how long we hold a client's connection beside its MTA, to tell the client if that ends without a word.
	freshTime = time.Second
)

// window keeps the starts of the last second, to allow no more than so many in any second.
type window struct {
	at   []time.Duration // a ring: the starts, the oldest at next
	next int
}

func (w *window) resize(n int) {
	if len(w.at) != n {
		w.at, w.next = make([]time.Duration, n), 0
	}
}

// opens is when the next start is allowed.
func (w *window) opens() time.Duration {
	if oldest := w.at[w.next]; oldest > 0 {
		return oldest + time.Second
	}
	return 0
}

func (w *window) note(now time.Duration) {
	w.at[w.next] = now
	w.next = (w.next + 1) % len(w.at)
}

// admit starts MTAs for those whose turn it is: the admitted first, then those that have passed, in their order.
func (r *room) admit() {
	for {
		for c := r.admitted.first; c != nil && r.starting < maxStarting && !r.replacing(); c = r.admitted.first {
			c.leave()
			r.start(c)
		}
		c := r.turns.first
		if c == nil || r.admitted.len > 0 || r.now < r.nextTurn() {
			return
		}
		if !c.session.Admit(c.passed-c.arrived, r.now-c.passed) {
			r.retry = r.now + retryTurn
			return
		}
		c.leave()
		r.decided(c)
	}
}

// nextTurn is when the first in the queue can be admitted, as far as time decides that.
func (r *room) nextTurn() time.Duration {
	t := max(r.retry, r.starts.opens())
	if len(r.mtas)+r.starting >= r.door.Config.MaxSessions && r.door.Config.Mode == config.Enforce {
		t = max(t, r.now+retryTurn)
	}
	return t
}

// overdue gives up on clients whose turn has not come in time.
func (r *room) overdue() {
	for c := r.turns.first; c != nil && c.due <= r.now; c = r.turns.first {
		c.leave()
		c.session.Expire(c.passed-c.arrived, r.now-c.passed)
		r.decided(c)
	}
}

// job is an MTA to be started.
type job struct {
	client *client
	argv   []string
	fd     int
	ends   exec.Ends
}

// start has the client's MTA started.
func (r *room) start(c *client) {
	if c.watched {
		r.poller.remove(c.session.FD)
		c.watched = false
	}
	r.starting++
	r.starts.note(r.now)
	r.jobs <- job{c, c.session.MTA(), c.session.FD, exec.Ends{Client: c.session.Client, Server: c.session.Server}}
}

// spawn starts MTAs, one after the other, until there are no more jobs. It runs beside the loop, which a
// disk that takes its time with a program must not hold up.
func (r *room) spawn() {
	environ := os.Environ()
	for j := range r.jobs {
		pid, err := r.Stdio.Spawn(j.argv, environ, j.fd, j.ends)
		r.post(func() { r.started(j.client, pid, err) })
	}
}

// started goes on with a client whose MTA runs, or could not be started.
func (r *room) started(c *client, pid int, err error) {
	r.starting--
	if err != nil {
		r.fail(c, err)
		return
	}
	c.started = r.now
	r.mtas[pid] = c
	c.session.Log(pid)
	c.handed = c.session.Hand(pid)
	r.owing = r.owing || !c.handed
	c.due = r.now + freshTime
	r.fresh.push(c)
	if status, ended := r.early[pid]; ended {
		delete(r.early, pid)
		r.ended(pid, status)
	}
}

// fail refuses a client for want of an MTA. Where none can be started the log need not say so for each client.
func (r *room) fail(c *client, why error) {
	ok, skipped := r.failures.allows(r.now)
	if skipped > 0 {
		r.warnf("%d more clients had to be turned away for want of an MTA", skipped)
	}
	if ok {
		c.session.Fail(why)
	} else {
		c.session.FailSilently()
	}
	r.refuse(c)
}

// reap asks for the children that have ended.
func (r *room) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
		case err != nil || pid <= 0:
			return
		case r.mtas[pid] != nil:
			r.ended(pid, status)
		case r.starting > 0:
			// Its start is not yet known to us. Whatever is no MTA is forgotten when nothing is starting.
			r.early[pid] = status
		}
	}
}

// ended is the end of a session.
func (r *room) ended(pid int, status unix.WaitStatus) {
	c := r.mtas[pid]
	delete(r.mtas, pid)
	r.retry = 0
	if c.in == &r.fresh {
		c.leave()
		if silent(c.session.FD) {
			r.fail(c, fmt.Errorf("%s ended without a word, with %s", c.session.MTA()[0], inWords(status)))
			return
		}
		r.close(c)
	}
	if !c.session.End() {
		r.owing = true
	}
	if status.Signaled() || status.ExitStatus() != 0 {
		ok, skipped := r.endings.allows(r.now)
		if skipped > 0 {
			r.warnf("%d more MTAs ended by a signal or with another status than 0", skipped)
		}
		if ok {
			c.session.LogEnd(pid, r.now-c.started, status)
		}
	}
}

func inWords(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %d", status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// silent says whether nothing was ever sent to the client on fd, and it is still there.
func silent(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == unix.BPF_TCP_ESTABLISHED && info.Bytes_sent == 0
}
