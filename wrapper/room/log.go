package room

import (
	"fmt"
	"time"

	"sendwrap/wrapper/maillog"
)

// Kinds of lines that many clients or MTAs may cause, as the limiter counts them.
const (
	unservedClients  = "clients were refused because no MTA could be started"
	shortageClients  = "clients got 421 4.3.2 because no descriptor was free"
	unwatchedClients = "clients could not be watched"
	badExits         = "MTAs ended by a signal or with a status other than 0 and 1"
	wrongStderrs     = "MTAs got another stderr than mta_stderr says"
)

// maxLines is how many lines of a kind are written one by one.
const maxLines = 5

// mayLog reports whether one more line of a kind may be written.
func (r *room) mayLog(kind string) bool { return r.limiter.Allow(r.now, maxLines, kind) }

// warnf logs a warning about the room itself.
func (r *room) warnf(format string, args ...any) {
	_ = r.log.Log().Write(maillog.Warning, fmt.Sprintf(format, args...))
}

// infof logs a change of the room itself.
func (r *room) infof(format string, args ...any) {
	_ = r.log.Log().Write(maillog.Info, fmt.Sprintf(format, args...))
}

// logLimited logs how many lines the limiter has kept back. It reports whether it may have to log
// more later.
func (r *room) logLimited() (more bool) {
	lines, more := r.limiter.Report(r.now)
	for _, line := range lines {
		r.warnf("%s", line)
	}
	return more
}

// logStart logs where the room serves.
func (r *room) logStart() {
	line := maillog.NewLine("START")
	for _, at := range Addresses(r.Sockets) {
		line.Addr("server", at)
	}
	r.infof("%s", line.Str("file", r.File))
}

// logStop logs why the room ends, how many waiting clients it has refused for that, and how many
// sessions go on without it.
func (r *room) logStop(reason string, waiting int) {
	line := maillog.NewLine("STOP").Str("reason", reason).Int("waiting", waiting)
	r.infof("%s", line.Int("serving", r.countServing()))
}

// flushLog gives the log a moment to take the lines that are left.
func (r *room) flushLog() {
	for range 100 {
		if r.log.Flush() == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
