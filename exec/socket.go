package exec

import "golang.org/x/sys/unix"

// If a client is unreachable for five minutes, the kernel ends its connection, and so its MTA. No
// client needs longer: both sides wait five minutes for most replies and commands (RFC 5321
// §4.5.3.2). Without a limit sendmail waits for an hour, and occupies a place.
const (
	keepIdle     = 120 // s of silence before the first probe (tcp(7), TCP_KEEPIDLE)
	keepInterval = 30  // s between probes
	keepProbes   = 6   // without an answer
	keepTime     = keepIdle + keepInterval*keepProbes
)

// setSocketOptions prepares the client's socket for an MTA. If a call fails, client is not a TCP
// socket or its connection has ended: the MTA will notice.
func setSocketOptions(client int) {
	for _, o := range [...]struct{ level, option, value int }{
		{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepIdle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepInterval},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepProbes},
		// The kernel sends no probes while data is not acknowledged.
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, keepTime * 1000},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		_ = unix.SetsockoptInt(client, o.level, o.option, o.value)
	}
}
