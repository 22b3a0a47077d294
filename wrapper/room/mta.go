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
	// maxStarting is how many MTAs may be on their way through fork and exec. One starts after the
	// other; some wait, so that the next one begins without the loop's help. There are no more,
	// because a client that comes next waits for all of them.
	maxStarting = 4

	// unfitEvery is how often the log says at most that the MTA must not be started for clients.
	unfitEvery = time.Minute

	// clientLeft is the exit status of an MTA whose client has left without QUIT, or was silent for
	// too long: exim -bs exits so (exim.c: EXIT_FAILURE when smtp_setup_msg has failed; seen with
	// 4.96), and qmail-smtpd (die_read, die_alarm). sendmail -bs exits with 0 then (seen with
	// 8.17). Trouble of the machine has other numbers: 64 to 78 (sysexits.h), 111 (qmail), 126 and
	// 127 (a shell). A few programs exit with 1 for that as well, but mostly before they send
	// anything; that is FAILED.
	clientLeft = 1
)

// mtas are the processes that the room has started for its clients.
type mtas struct {
	jobs     chan job
	starting int
	jobCount int             // so far
	starts   window          // of the last second
	retry    time.Duration   // no turn before this time
	running  map[int]*client // by pid

	// unclaimed are the children that exited before mtaStarted has named them. Other children that
	// exited while an MTA was starting are among them.
	unclaimed map[int]exit
}

// exit is the end of an unknown child.
type exit struct {
	status unix.WaitStatus
	before int // it can be the MTA of a job up to this number
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

// requestMTA has the client's MTA started.
func (r *room) requestMTA(c *client) {
	if c.watched {
		r.poller.remove(c.session.FD)
		c.watched = false
	}
	m := &r.mtas
	m.starting++
	m.jobCount++
	m.starts.note(r.now)
	s := c.session
	host := wrapper.HostName(r.door.Policy.Settings)
	ends := exec.Ends{Client: s.Client, Server: s.Server, Host: host}
	m.jobs <- job{m.jobCount, c, s.MTA(), s.FD, ends, exec.Stderr(r.door.Policy.MTAStderr)}
}

// startMTAs starts one MTA after the other until jobs is closed. It runs beside the loop, which
// must not wait for a slow disk to load the program. (The loop does wait for it if a garbage
// collection begins in the very moment of a start.)
func (r *room) startMTAs() {
	environ := os.Environ()
	var checked []string // the last MTA that wrapper.Unfit has looked at
	var checkedAt time.Duration
	for j := range r.mtas.jobs {
		if now := monotonic(); now-checkedAt >= unfitEvery || !slices.Equal(j.argv, checked) {
			checked, checkedAt = j.argv, now
			if err := wrapper.Unfit(j.argv); err != nil {
				r.notices.post(func() { r.warnf("mta: %v", err) })
			}
		}
		var pid int
		var err, stderrErr error
		r.hooks.Fork(func() {
			stderrErr = r.Stdio.SetStderr(j.stderr)
			pid, err = r.Stdio.Spawn(j.argv, environ, j.fd, j.ends)
		})
		r.notices.post(func() {
			if stderrErr != nil && r.mayLog(wrongStderrs) {
				r.warnf("mta_stderr: %v", stderrErr)
			}
			r.mtaStarted(j, pid, err)
		})
	}
}

// mtaStarted goes on with a client whose MTA runs, or could not be started.
func (r *room) mtaStarted(j job, pid int, err error) {
	m, c := &r.mtas, j.client
	m.starting--
	ended, exited := m.unclaimed[pid]
	exited = exited && j.number <= ended.before
	for pid, e := range m.unclaimed { // all jobs to come have begun after these exits
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
	c.session.Account(pid)
	c.transferred = c.session.TransferTo(pid)
	r.awaitOutput(c)
	if exited {
		r.mtaExited(pid, ended.status)
	}
}

// fail refuses a client because its MTA could not serve it. If none can be started, only the first
// clients have a line of their own in the log.
func (r *room) fail(c *client, why error) {
	if r.mayLog(unservedClients) {
		c.session.Fail(why)
	} else {
		c.session.FailSilently()
	}
	r.refuse(c)
}

// reap collects the children that have exited.
func (r *room) reap() { r.hooks.Reap(r.childExited) }

// childExited notes the end of a child that is not one of enforce's.
func (r *room) childExited(pid int, status unix.WaitStatus) {
	switch m := &r.mtas; {
	case m.running[pid] != nil:
		r.mtaExited(pid, status)
	case m.starting > 0:
		m.unclaimed[pid] = exit{status, m.jobCount}
	}
}

// mtaExited ends the session of an MTA that has exited.
func (r *room) mtaExited(pid int, status unix.WaitStatus) {
	m := &r.mtas
	c := m.running[pid]
	delete(m.running, pid)
	m.retry = 0
	r.turns.end(c)
	if c.in == &r.silent {
		c.leave()
		if nothingSent(c.session.FD) {
			r.fail(c, fmt.Errorf("%s exited (%s) before it sent anything",
				c.session.MTA()[0], describeStatus(status)))
			return
		}
		r.close(c)
	}
	c.session.End()
	switch ordinary := !status.Signaled() && status.ExitStatus() == clientLeft; {
	case ordinary:
		c.session.LogEnd(pid, maillog.Info, r.now-c.started, status)
	case status != 0 && r.mayLog(badExits):
		c.session.LogEnd(pid, maillog.Warning, r.now-c.started, status)
	}
}

func describeStatus(status unix.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("signal %d", status.Signal())
	}
	return fmt.Sprintf("status %d", status.ExitStatus())
}
