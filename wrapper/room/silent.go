package room

import (
	"time"

	"golang.org/x/sys/unix"
)

// MTAs that have not sent anything
//
// The room keeps the connection of a client beside its MTA until the MTA has sent something. If the
// MTA exits before that, the room can still send 421.

const (
	// silentTime is how long the room keeps the connection at most. (Postfix's programs sleep for a
	// second before they exit on an error: msg.c.)
	silentTime = 3 * time.Second

	// silentEvery is how often the room looks whether the MTA has sent something. Until the room
	// has closed its end, the client does not see that its MTA has closed the connection.
	silentEvery = 50 * time.Millisecond
)

// awaitOutput keeps the connection until the MTA has sent something.
func (r *room) awaitOutput(c *client) {
	c.due = r.now + silentEvery
	r.silent.push(c)
}

// releaseServed closes our end of the connections whose MTAs have sent something.
func (r *room) releaseServed() {
	for c := r.silent.first; c != nil && c.due <= r.now; c = r.silent.first {
		if r.now-c.started < silentTime && nothingSent(c.session.FD) {
			c.leave()
			r.awaitOutput(c)
			continue
		}
		r.close(c)
	}
}

// established is TCP_ESTABLISHED (linux/tcp.h): neither side has closed.
const established = 1

// nothingSent reports whether the client on fd is still connected and nothing was ever sent to it.
// (After a teaser, a client would not understand another reply.)
func nothingSent(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == established &&
		info.Data_segs_out == 0 && info.Notsent_bytes == 0
}
